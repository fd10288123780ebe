// SPDX-License-Identifier: MPL-2.0
//! Proof that cuts are exact: archives whose every frame is known by its time, cuts of them, and
//! what decoders that know nothing of this project make of those.
//!
//! A clip of constant frame rate is recorded so that its first frame was seen at a moment that the
//! test chose ([`archived`]). So which frames a range holds is a matter of arithmetic, what they
//! look and sound like says a decode of the clip ([`source`]), and the code under test is asked
//! for neither.

pub mod archived;
pub mod browsed;
pub mod judge;
pub mod played;
pub mod proof;
pub mod ranges;
pub mod source;
