//! How fast CPUs are, how deeply they sleep, and who moves work and memory between them.

use super::form::{FLAG, Form, integer};
use super::{Access, Knob, Scope};

const CPU_SOURCE: &str = "Documentation/admin-guide/pm/cpufreq.rst";

pub(super) const KNOBS: &[Knob] = &[
    Knob::new(
        "cpu.governor",
        Scope::Machine,
        Access::Files("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"),
        Form::Word(&[
            "performance",
            "powersave",
            "schedutil",
            "ondemand",
            "conservative",
            "userspace",
        ]),
        "word",
    )
    .why(
        "How the frequency follows the load. `performance` does not wait for load to show \
         before it is fast.",
    )
    .risk("more power; none in a virtual machine, which usually has no such file")
    .source(CPU_SOURCE),
    Knob::new(
        "cpu.energy_perf_bias",
        Scope::Machine,
        Access::Files("/sys/devices/system/cpu/cpu*/power/energy_perf_bias"),
        integer(0, 15),
        "0 for speed to 15 for energy",
    )
    .why("A hint to Intel CPUs how eagerly to trade speed for energy.")
    .risk("more power")
    .source("Documentation/admin-guide/pm/intel_epb.rst")
    .since("5.2"),
    Knob::new(
        "cpu.min_perf_pct",
        Scope::Machine,
        Access::Files("/sys/devices/system/cpu/intel_pstate/min_perf_pct"),
        integer(0, 100),
        "percent of the highest frequency",
    )
    .why("The lowest frequency that intel_pstate chooses.")
    .risk("more power")
    .source("Documentation/admin-guide/pm/intel_pstate.rst")
    .since("3.9"),
    Knob::new(
        "cpu.resume_latency",
        Scope::Machine,
        Access::Files("/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us"),
        Form::Word(&[
            "0", "n/a", "1", "2", "3", "5", "10", "20", "50", "100", "200", "500", "1000",
        ]),
        "us, 0 for no bound, n/a for no sleep at all",
    )
    .why(
        "C-states that take longer than this to wake up from are not entered. A sleeping core \
         adds its waking to the first packet after a pause. Unlike /dev/cpu_dma_latency it \
         stays without a process that holds it.",
    )
    .risk("more power and heat, and on some CPUs less turbo for the other cores")
    .source("Documentation/ABI/testing/sysfs-devices-power")
    .since("3.2"),
    Knob::sysctl(
        "kernel.numa_balancing",
        Scope::Machine,
        integer(0, 3),
        "bits: 1 balancing, 2 memory tiers",
    )
    .why(
        "Takes mappings away to see which node uses a page: page faults in workers that are \
             pinned anyway.",
    )
    .risk("processes that are not pinned may stay far from their memory")
    .source("Documentation/admin-guide/sysctl/kernel.rst")
    .since("3.8"),
    Knob::sysctl("kernel.timer_migration", Scope::Machine, FLAG, "flag")
        .why(
            "With 1, timers of idle cores move to busy ones. With 0 a worker's timers stay on \
             its core.",
        )
        .risk("idle cores wake more often")
        .source("kernel/time/timer.c")
        .since("2.6.30"),
    Knob::sysctl("kernel.sched_autogroup_enabled", Scope::Machine, FLAG, "flag")
        .why(
            "Shares CPU time between sessions before it shares it between threads. A server \
             started from a terminal competes as one session; a benchmark beside it as another.",
        )
        .risk("an interactive session may feel a heavy build")
        .source("sched(7)")
        .since("2.6.38"),
    Knob::sysctl("kernel.nmi_watchdog", Scope::Machine, FLAG, "flag")
        .why(
            "Looks for cores that hang; takes a performance counter and an interrupt every some \
             seconds.",
        )
        .risk("a core that hangs with interrupts off is not told")
        .source("Documentation/admin-guide/sysctl/kernel.rst"),
];
