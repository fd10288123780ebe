// SPDX-License-Identifier: MPL-2.0
//! The parameter sets in force (H.264 §7.4.1.2.1).
//!
//! A sample may be read several times, a little more of it each time, and it may bring sets. So
//! they are copied on change, and what was in force before is still there for the next reading.

use std::sync::Arc;

use h264_reader::Context;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::BitReader;

use crate::media::bits::payload;
use crate::media::nal::Sets;

/// The sets in force; cheap to copy.
#[derive(Clone)]
pub struct Known {
    /// For reading slice headers.
    pub context: Arc<Context>,
    /// The sequence parameter set has changed; only an IDR picture may follow (§7.4.1.2.1).
    pub awaits_idr: bool,
}

impl Known {
    /// These are in force. A set that cannot be read matters only to the pictures that use it.
    pub fn new(sets: &Sets) -> Self {
        let mut known = Self {
            context: Arc::default(),
            awaits_idr: false,
        };
        sets.sps.iter().for_each(|unit| known.put_sps(unit));
        sets.pps.iter().for_each(|unit| known.put_pps(unit));
        known.awaits_idr = false;
        known
    }

    /// A sequence parameter set, as a NAL unit.
    pub fn put_sps(&mut self, unit: &[u8]) {
        let payload = payload(unit, 1, usize::MAX);
        let Ok(set) = SeqParameterSet::from_bits(BitReader::new(payload.bytes.as_slice())) else {
            return;
        };
        let known = self.context.sps_by_id(set.seq_parameter_set_id);
        if known != Some(&set) {
            self.awaits_idr = true;
            self.change(|context| context.put_seq_param_set(set));
        }
    }

    /// A picture parameter set, as a NAL unit.
    pub fn put_pps(&mut self, unit: &[u8]) {
        let payload = payload(unit, 1, usize::MAX);
        let reader = BitReader::new(payload.bytes.as_slice());
        if let Ok(set) = PicParameterSet::from_bits(&self.context, reader) {
            self.change(|context| context.put_pic_param_set(set));
        }
    }

    /// Changes the sets, but not those of other copies.
    fn change(&mut self, put: impl FnOnce(&mut Context)) {
        if let Some(context) = Arc::get_mut(&mut self.context) {
            return put(context);
        }
        let mut copy = Context::new();
        let sps = self.context.sps().cloned();
        sps.for_each(|set| copy.put_seq_param_set(set));
        let pps = self.context.pps().cloned();
        pps.for_each(|set| copy.put_pic_param_set(set));
        put(&mut copy);
        self.context = Arc::new(copy);
    }
}
