//! The simulated disk: slow, and now and then it fails, tears what is written, or flips a bit of what is read.

use crate::world::World;
use core::cell::Cell;
use core::ops::Range;
use lastmile_edge::ssd::buffer::Buffer;
use lastmile_edge::ssd::device::Device;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

/// Input/output error, and no space left on device (errno(3)).
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// How unkind the disk is. Chances are in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFaults {
    /// Of each read and write: it fails.
    pub fails: u64,
    /// Of each write: some of its blocks are written, and it fails.
    pub tears: u64,
    /// Of each read: a bit is not what was written.
    pub flips: u64,
    pub delay_ms_max: u64,
}

/// All disks of a node.
#[derive(Clone)]
pub struct Disk {
    world: World,
    faults: Rc<Cell<DiskFaults>>,
}

impl Disk {
    pub fn new(world: &World, faults: DiskFaults) -> Self {
        Self { world: world.clone(), faults: Rc::new(Cell::new(faults)) }
    }

    pub fn set_faults(&self, faults: DiskFaults) {
        self.faults.set(faults);
    }

    pub async fn read_at(
        &self,
        device: &Arc<Device>,
        mut buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let faults = self.begin(offset).await;
        if self.world.chance(faults.fails) {
            return (Err(io::Error::from_raw_os_error(EIO)), buffer);
        }
        let read = device.file.read_at(&mut buffer[range.clone()], offset);
        if self.world.chance(faults.flips) {
            let octet = range.start + self.world.random(range.len() as u64) as usize;
            buffer[octet] ^= 1 << self.world.random(8);
        }
        (read, buffer)
    }

    pub async fn write_at(
        &self,
        device: &Arc<Device>,
        buffer: Buffer,
        range: Range<usize>,
        offset: u64,
    ) -> (io::Result<usize>, Buffer) {
        let faults = self.begin(offset).await;
        let failure = || io::Error::from_raw_os_error(*self.world.pick(&[EIO, ENOSPC]));
        if self.world.chance(faults.fails) {
            return (Err(failure()), buffer);
        }
        if self.world.chance(faults.tears) {
            let blocks = range.len() as u64 / 4096;
            let end = range.start + self.world.random(blocks.max(1)) as usize * 4096;
            let torn = device.file.write_at(&buffer[range.start..end], offset);
            return (torn.and_then(|_| Err(failure())), buffer);
        }
        (device.file.write_at(&buffer[range], offset), buffer)
    }

    async fn begin(&self, offset: u64) -> DiskFaults {
        let faults = self.faults.get();
        self.world.trace(2, offset);
        self.world.sleep_ms(self.world.random(faults.delay_ms_max + 1)).await;
        faults
    }
}
