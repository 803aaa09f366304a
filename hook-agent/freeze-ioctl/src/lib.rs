//! The two ioctls that freeze and thaw a file system, behind safe functions. The only unsafe lines of the product are here.
//!
//! No crate that is kept up offers them safely (rustix and nix have the building blocks, both unsafe), and a program that
//! does it, `fsfreeze` of util-linux, is in no image `FROM scratch` and would have to be started while the file system that
//! it may lie on stands still.

use rustix::fd::AsFd;
use rustix::io::Result;
use rustix::ioctl::{NoArg, Opcode, ioctl, opcode};

/// `FIFREEZE` and `FITHAW` of linux/fs.h: `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)`; the int is never looked at.
const FIFREEZE: Opcode = opcode::read_write::<std::ffi::c_int>(b'X', 119);
const FITHAW: Opcode = opcode::read_write::<std::ffi::c_int>(b'X', 120);

/// Lets all writes to the file system of `fd` wait, after writing out what was there. Returns when the disk is clean, which
/// takes as long as the disk takes. `EBUSY`: it is frozen already. `EPERM`: no `CAP_SYS_ADMIN` where the file system was
/// mounted. `EOPNOTSUPP`: this kind of file system cannot be frozen.
#[expect(unsafe_code, reason = "an ioctl that takes no argument")]
pub fn freeze(fd: impl AsFd) -> Result<()> {
    // Safe: the number is right (see the test), and the kernel's fs/ioctl.c touches no memory of the caller for it.
    unsafe { ioctl(fd, NoArg::<FIFREEZE>::new()) }
}

/// Lets writes go on. `EINVAL`: it was not frozen, which is harmless. `EPERM` as for [`freeze`], asked before anything else,
/// so that thawing what is not frozen proves that thawing is allowed.
#[expect(unsafe_code, reason = "an ioctl that takes no argument")]
pub fn thaw(fd: impl AsFd) -> Result<()> {
    // Safe: as in `freeze`.
    unsafe { ioctl(fd, NoArg::<FITHAW>::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn the_numbers_are_the_kernels() {
        assert_eq!((FIFREEZE, FITHAW), (0xC004_5877, 0xC004_5878));
    }

    #[test]
    fn what_is_no_file_system_on_a_disk_is_refused() {
        let (reader, _writer) = std::io::pipe().unwrap();
        // A pipe has no super block that could be thawed; without the right it is not even looked at.
        assert!(matches!(thaw(&reader), Err(Errno::INVAL | Errno::PERM | Errno::NOTTY)));
    }
}
