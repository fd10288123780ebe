// SPDX-License-Identifier: MPL-2.0
//! The traits of a scenario, the kinds of each, and the choice among them.

use std::fmt;

/// Declares a trait's kinds. The first is what a camera without faults does. `later` are those that
/// a recording does not stand yet: chosen only by name, or with `TRAITS=all`.
macro_rules! kinds {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $kind:ident = $text:literal $($later:ident)?,)* }
    )*) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the texts say it")]
        pub enum $name { $($(#[$doc])* $kind,)* }

        impl $name {
            /// Each with its name, and whether a recording stands it.
            const ALL: &[(Self, &str, bool)] = &[$((Self::$kind, $text, kinds!(@holds $($later)?)),)*];

            fn named(text: &str) -> Option<Self> {
                let found = Self::ALL.iter().find(|(_, name, _)| *name == text);
                found.map(|(kind, ..)| *kind)
            }

            /// Half of the time the kind without fault, else any.
            fn choose(random: &mut fastrand::Rng, from_all: bool) -> Self {
                let number = random.usize(..);
                let (plain, open): (bool, Vec<Self>) = (
                    random.bool(),
                    Self::ALL.iter().filter(|(.., holds)| *holds || from_all).map(|(kind, ..)| *kind).collect(),
                );
                if plain { Self::ALL[0].0 } else { open[number % open.len()] }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let found = Self::ALL.iter().find(|(kind, ..)| kind == self);
                f.write_str(found.map_or("?", |(_, name, _)| name))
            }
        }
    )* };
    (@holds) => { true };
    (@holds later) => { false };
}

kinds! {
    /// How the video is coded.
    Coding {
        /// H.264 baseline, a keyframe every 25 frames.
        Plain = "h264",
        /// A keyframe every 8 frames.
        Night = "h264-gop8",
        /// Four slices a picture.
        Slices = "h264-slices",
        /// Three B-frames, closed GOPs.
        Pyramid = "h264-pyramid",
        /// Three B-frames, open GOPs with recovery points.
        OpenGop = "h264-open-gop",
        /// No keyframe but the first: columns of intra blocks, recovery points of many frames.
        Refresh = "h264-refresh" later,
        /// Macroblock-adaptive interlaced.
        Mbaff = "h264-mbaff",
        /// I pictures that are no place to begin at.
        FalseEntries = "h264-false-entries",
        /// Parameter sets of another id with each keyframe.
        Ids = "h264-ids",
        /// Another size with every second keyframe.
        Sizes = "h264-sizes",
        H265 = "h265",
        H265Night = "h265-gop8",
        H265Slices = "h265-slices",
        H265Pyramid = "h265-pyramid",
        H265OpenGop = "h265-open-gop",
        H265Sizes = "h265-sizes",
    }
    /// Frames a second; the sequence parameter set says 25.
    Rate {
        R25 = "25",
        R30 = "30",
        R15 = "15",
        R12 = "12",
        R8 = "8" later,
        R5 = "5" later,
        R3 = "3" later,
    }
    /// When frames are captured.
    Regularity {
        Steady = "steady",
        /// By up to 18 ms, half a frame at most.
        Jitter = "jitter",
        /// After one to four frames' time.
        Irregular = "irregular" later,
        /// One and a half seconds without a frame.
        Pause = "pause" later,
    }
    /// When packets leave.
    Delivery {
        AtOnce = "at-once",
        /// What gathers in 300 ms, at once.
        Bursts = "bursts" later,
    }
    /// What RTP timestamps are worth.
    Stamps {
        Exact = "exact",
        /// Over 2^32 after two seconds.
        Wrap = "wrap",
        /// Anywhere else after half of the session.
        Reset = "reset" later,
        /// 19 % slow.
        Slow = "slow" later,
        /// All the same.
        Zero = "zero" later,
    }
    /// What sender reports tell.
    Reports {
        /// The machine's clock, at once and each second.
        Sane = "sane",
        /// A clock 1.2 s ahead.
        Ahead = "ahead",
        None = "none",
        /// From the fourth second on.
        Late = "late",
        /// No clock: NTP 0.
        Zero = "zero" later,
        /// The year 2100.
        Future = "future" later,
        /// 1970 and the time since it was switched on.
        Past = "1970" later,
        /// One moment, for ever.
        Stuck = "stuck" later,
        /// A clock that runs 20 % fast.
        Fast = "fast" later,
        /// An hour ahead, from half of the session on.
        Jump = "jump" later,
    }
    /// Which packets bear the marker.
    Markers {
        Right = "right",
        Never = "never",
        /// The last packet of each NAL unit.
        EveryUnit = "every-unit",
    }
    /// Supplemental information that means nothing.
    Sei {
        None = "none",
        /// In the access unit.
        Joined = "joined",
        /// With a marker of its own before every fifth picture, at that picture's time.
        Alone = "alone",
        /// Likewise, ten milliseconds before that picture's time.
        AloneEarlier = "alone-earlier",
    }
    /// Where parameter sets are.
    Sets {
        /// In the SDP and with each keyframe.
        Everywhere = "everywhere",
        BandOnly = "band-only",
        SdpOnly = "sdp-only",
        /// Another that nobody uses, within GOPs.
        Unused = "unused-in-gop",
        /// Another that the pictures after it use, within GOPs; of baseline H.264 only.
        Used = "used-in-gop",
    }
    /// How NAL units are put into packets.
    Packing {
        /// At most 1300 bytes.
        Single = "single",
        /// At most 200 bytes, so that most are in fragments.
        Fragments = "fragments",
        /// What comes before the first slice in one packet.
        Aggregated = "aggregated",
        /// A delimiter before each picture.
        Delimited = "delimited",
    }
    /// The audio track.
    Audio {
        None = "none",
        Alaw = "alaw",
        Aac = "aac",
        /// From the third second on.
        AlawLate = "alaw-late",
        AacLate = "aac-late",
        /// Described, never sent.
        AlawSilent = "alaw-silent",
        /// Until half of the session.
        AacStops = "aac-stops",
    }
    /// Where the audio track stands in the SDP.
    Order {
        VideoFirst = "video-first",
        AudioFirst = "audio-first",
    }
    /// A track that cannot be recorded.
    Extra {
        None = "none",
        /// ONVIF metadata: XML.
        Metadata = "metadata",
        G726 = "g726" later,
        /// AAC whose SDP has no configuration.
        AacBare = "aac-bare" later,
        Mpeg4Part2 = "mpeg4-part-2" later,
    }
    /// Packets that never arrive.
    Loss {
        None = "none",
        /// One in the middle.
        One = "one" later,
        /// Eight in a row, in the middle.
        Row = "row" later,
    }
    /// How packets travel.
    Transport {
        Tcp = "tcp",
        Udp = "udp",
    }
    /// How often the camera is asked.
    Sessions {
        One = "one",
        /// It hangs up in the middle, and is there at once.
        Two = "two",
    }
    /// Where a session begins.
    Beginning {
        Keyframe = "keyframe",
        WithinGop = "within-gop",
    }
    /// What records.
    Recorder {
        RunnerMp4 = "runner-mp4",
        RunnerTs = "runner-mpegts" later,
        /// `rtspsrc ! depay ! parse ! archivesink`, video alone.
        LaunchMp4 = "launch-mp4",
        LaunchTs = "launch-mpegts" later,
    }
}

/// Declares the scenario: its traits by name, in the order in which they are chosen.
macro_rules! scenario {
    ($($name:ident: $kind:ident,)*) => {
        /// One kind of each trait, and the seed of all other chance.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the types say it")]
        pub struct Scenario {
            pub seed: u64,
            $(pub $name: $kind,)*
        }

        impl Scenario {
            /// A camera without faults.
            pub fn plain(seed: u64) -> Self {
                Self { seed, $($name: $kind::ALL[0].0,)* }
            }

            fn by_chance(seed: u64, from_all: bool) -> Self {
                let mut random = fastrand::Rng::with_seed(seed);
                Self { seed, $($name: $kind::choose(&mut random, from_all),)* }
            }

            fn set(&mut self, name: &str, kind: &str) -> Option<()> {
                match name {
                    $(stringify!($name) => self.$name = $kind::named(kind)?,)*
                    _ => return None,
                }
                Some(())
            }
        }

        impl fmt::Display for Scenario {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "seed {}:", self.seed)?;
                let plain = Self::plain(self.seed);
                $(if self.$name != plain.$name {
                    write!(f, " {}={}", stringify!($name), self.$name)?;
                })*
                Ok(())
            }
        }
    };
}

scenario! {
    coding: Coding,
    rate: Rate,
    regularity: Regularity,
    delivery: Delivery,
    stamps: Stamps,
    reports: Reports,
    markers: Markers,
    sei: Sei,
    sets: Sets,
    packing: Packing,
    audio: Audio,
    order: Order,
    extra: Extra,
    loss: Loss,
    transport: Transport,
    sessions: Sessions,
    beginning: Beginning,
    recorder: Recorder,
}

impl Scenario {
    /// What a seed chooses, with the overrides of `traits`: words such as `reports=zero`, `plain`
    /// (nothing by chance) or `all` (kinds that a recording does not stand yet, too).
    ///
    /// # Panics
    /// When there is no such trait or kind.
    pub fn new(seed: u64, traits: &str) -> Self {
        let words: Vec<&str> = traits.split_whitespace().collect();
        let mut scenario = if words.contains(&"plain") {
            Self::plain(seed)
        } else {
            Self::by_chance(seed, words.contains(&"all"))
        };
        for word in words.iter().filter(|word| !["plain", "all"].contains(word)) {
            let (name, kind) = word.split_once('=').unwrap_or((word, ""));
            let set = scenario.set(name, kind);
            set.unwrap_or_else(|| panic!("TRAITS: there is no kind {word}"));
        }
        scenario.possible()
    }

    /// What no camera can do at once is taken back.
    fn possible(mut self) -> Self {
        let changes_sets = matches!(self.coding, Coding::Ids | Coding::Sizes | Coding::H265Sizes);
        if changes_sets && self.sets == Sets::SdpOnly {
            self.sets = Sets::Everywhere;
        }
        if self.sets == Sets::Used && self.coding != Coding::Plain {
            self.sets = Sets::Unused;
        }
        if self.sets == Sets::Unused && self.coding == Coding::Ids {
            self.sets = Sets::Everywhere;
        }
        if self.audio == Audio::None {
            self.order = Order::VideoFirst;
        }
        // Neither markers nor times: nothing tells where a frame ends.
        if self.stamps == Stamps::Zero && self.markers != Markers::Right {
            self.markers = Markers::Right;
        }
        if self.stamps == Stamps::Zero && self.sei == Sei::AloneEarlier {
            self.sei = Sei::Alone;
        }
        // A launch line does not ask again.
        if !self.is_by_runner() {
            self.sessions = Sessions::One;
        }
        // The runner takes long to see that the connection beside the datagrams is gone.
        if self.transport == Transport::Udp {
            self.sessions = Sessions::One;
        }
        // There is one place to begin at, the clip's first picture.
        if self.coding == Coding::Refresh {
            self.beginning = Beginning::Keyframe;
            self.sessions = Sessions::One;
            self.loss = Loss::None;
        }
        self
    }

    /// Frames a second.
    pub fn frames_per_second(&self) -> i64 {
        match self.rate {
            Rate::R25 => 25,
            Rate::R30 => 30,
            Rate::R15 => 15,
            Rate::R12 => 12,
            Rate::R8 => 8,
            Rate::R5 => 5,
            Rate::R3 => 3,
        }
    }

    /// Whether the camera's clock is one to be believed from the first report on.
    pub fn has_sane_clock(&self) -> bool {
        matches!(self.reports, Reports::Sane | Reports::Ahead)
            && matches!(self.stamps, Stamps::Exact | Stamps::Wrap)
    }

    /// The container of its segments.
    pub fn container(&self) -> &'static str {
        match self.recorder {
            Recorder::RunnerMp4 | Recorder::LaunchMp4 => "mp4",
            Recorder::RunnerTs | Recorder::LaunchTs => "mpegts",
        }
    }

    /// Whether the runner records, and not a launch line.
    pub fn is_by_runner(&self) -> bool {
        matches!(self.recorder, Recorder::RunnerMp4 | Recorder::RunnerTs)
    }
}
