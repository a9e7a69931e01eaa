//! One scene under callgrind.

use crate::scenes::MEASURED;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Variants of `memcpy` and its like are chosen by what the processor can do. Without these every machine chooses the
/// same, those of SSE2, so that counts of one machine can be compared with those of another.
const WITHOUT: &str = "glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load";

/// Where valgrind and this program are.
pub(crate) struct Callgrind {
    program: PathBuf,
}

impl Callgrind {
    pub(crate) fn find() -> Result<Self, String> {
        let version = Command::new("valgrind").arg("--version").output();
        if version.is_err() {
            return Err("valgrind is not here: please install the package valgrind".to_owned());
        }
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        Ok(Self { program })
    }

    /// Instructions of all operations of a scene.
    pub(crate) fn count(&self, scene: &str) -> Result<u64, String> {
        let out = std::env::temp_dir().join(format!("callgrind-{}", std::process::id()));
        let run = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
            .arg(format!("--toggle-collect={MEASURED}"))
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.program)
            .args(["--run", scene])
            .env("GLIBC_TUNABLES", WITHOUT)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("valgrind: {error}"))?;
        let report = std::fs::read_to_string(&out);
        // It may not be there, which is said below.
        let _ = std::fs::remove_file(&out);
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            return Err(format!("{scene}: {}\n{}", run.status, said.trim_end()));
        }
        let report = report.map_err(|error| format!("{}: {error}", out.display()))?;
        let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
        match total.and_then(|total| total.trim().parse().ok()) {
            None | Some(0) => Err(format!("{scene}: callgrind has counted nothing")),
            Some(instructions) => Ok(instructions),
        }
    }
}
