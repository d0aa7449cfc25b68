//! What the system says of this process. Only Linux does; elsewhere these metrics are missing.

use super::{Metrics, table};

pub fn look(metrics: &Metrics) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = resident_kibibytes(&status) {
        metrics.gauge(&table::PROCESS_MEMORY, &[]).set(kibibytes * 1_024.0);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        metrics.gauge(&table::PROCESS_FILES, &[]).set(files.count() as f64);
    }
}

/// Of a line such as `VmRSS:     61440 kB`.
fn resident_kibibytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_its_line() {
        assert_eq!(resident_kibibytes("VmHWM:\t9 kB\nVmRSS:\t   61440 kB\nThreads:\t4\n"), Some(61_440.0));
        assert_eq!(resident_kibibytes("Threads:\t4\n"), None);
    }
}
