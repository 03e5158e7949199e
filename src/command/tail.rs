//! `tail -f /dev/null`

use super::{Context, Done, option, sleep};
use crate::z;

const FOLLOW: u32 = option("tail", 'f');

/// Waits for ever, which is all that anyone wants of it in a container.
pub(super) fn run(context: &mut Context) -> Done {
    let path = context.operand()?;
    if !context.has(FOLLOW) || !path.is(z!("/dev/null")) {
        return Err(context.refuse_for(path, z!("only tail -f /dev/null")));
    }
    if context.run { sleep::wait(context) } else { Ok(()) }
}
