//! The figures of a case: what each is called, its unit, and how many digits of it say something.

use serde::{Serialize, Serializer};

/// One figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// CPU of all processes of the server, us per request.
    CpuUs,
    /// Of that outside the kernel, us per request.
    UserUs,
    /// Of that in the kernel, 0 to 1.
    SystemShare,
    /// Responses per second.
    RequestsPerSecond,
    /// Median latency, us.
    P50Us,
    /// Latency of 99 of 100 at most, us.
    P99Us,
    /// What the downloads beside it got, MB/s.
    DownloadMbPerSecond,
    /// How much later than the first client 99 of 100 others had the whole object at most, ms.
    BehindP99Ms,
    /// Part of the time in which the server was on a CPU, 0 to 1: near 1 unless the load is the limit.
    BusyShare,
    /// Requests without an answer.
    Lost,
    /// Requests that reached the origin.
    Fetches,
    /// Requests without a whole, right response.
    Errors,
    /// Memory for each connection, octets.
    ConnectionOctets,
    /// Memory for each object, octets.
    ObjectOctets,
    /// All memory of the server before, MB.
    BeforeMb,
    /// And after, MB.
    AfterMb,
}

impl Metric {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuUs => "cpu_us",
            Self::UserUs => "user_us",
            Self::SystemShare => "system_share",
            Self::RequestsPerSecond => "requests_per_second",
            Self::P50Us => "p50_us",
            Self::P99Us => "p99_us",
            Self::DownloadMbPerSecond => "download_mb_per_second",
            Self::BehindP99Ms => "behind_p99_ms",
            Self::BusyShare => "busy_share",
            Self::Lost => "lost",
            Self::Fetches => "fetches",
            Self::Errors => "errors",
            Self::ConnectionOctets => "connection_octets",
            Self::ObjectOctets => "object_octets",
            Self::BeforeMb => "before_mb",
            Self::AfterMb => "after_mb",
        }
    }

    /// Its name above a column.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::CpuUs => "CPU us/req",
            Self::UserUs => "user us/req",
            Self::SystemShare => "system",
            Self::RequestsPerSecond => "req/s",
            Self::P50Us => "p50 us",
            Self::P99Us => "p99 us",
            Self::DownloadMbPerSecond => "beside MB/s",
            Self::BehindP99Ms => "behind ms",
            Self::BusyShare => "busy",
            Self::Lost => "lost",
            Self::Fetches => "fetches",
            Self::Errors => "errors",
            Self::ConnectionOctets | Self::ObjectOctets => "octets each",
            Self::BeforeMb => "before MB",
            Self::AfterMb => "after MB",
        }
    }

    /// `value` for a reader.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        match self {
            Self::SystemShare | Self::BusyShare => format!("{:.0} %", value * 100.0),
            Self::CpuUs | Self::UserUs => format!("{value:.2}"),
            Self::BehindP99Ms | Self::BeforeMb | Self::AfterMb => format!("{value:.1}"),
            Self::RequestsPerSecond
            | Self::P50Us
            | Self::P99Us
            | Self::DownloadMbPerSecond
            | Self::Lost
            | Self::Fetches
            | Self::Errors
            | Self::ConnectionOctets
            | Self::ObjectOctets => format!("{value:.0}"),
        }
    }

    /// `value` with its unit.
    #[must_use]
    pub fn told(self, value: f64) -> String {
        let unit = match self {
            Self::CpuUs | Self::UserUs | Self::P50Us | Self::P99Us => " us",
            Self::RequestsPerSecond => " req/s",
            Self::DownloadMbPerSecond => " MB/s",
            Self::BehindP99Ms => " ms",
            Self::ConnectionOctets | Self::ObjectOctets => " octets",
            Self::BeforeMb | Self::AfterMb => " MB",
            Self::SystemShare | Self::BusyShare | Self::Lost | Self::Fetches | Self::Errors => "",
        };
        self.format(value) + unit
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
