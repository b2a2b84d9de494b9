//! Where one broadcast ends and the next begins: encoders that come back in time, too late, twice, with another
//! picture, after a restart; streams that are forbidden, and recordings that are ordered.

mod gaps;
mod orders;
mod seams;
mod window;
