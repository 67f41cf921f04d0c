//! Records the real client: types what a user types, waits for what a user
//! waits for, and writes a picture and a recording. `scripts/record` starts the
//! daemon and runs it.
//!
//! - `session`: what is typed. `svg`: a screen as a picture. `cast`: what was
//!   written, with its times.
//!
//! Nothing is drawn here that the client has not drawn.

mod cast;
mod session;
mod svg;
#[path = "../terminal/mod.rs"]
#[allow(dead_code, reason = "shared: each example uses its part")]
mod terminal;

use std::error::Error;
use std::fs;
use std::path::Path;

use self::terminal::Program;

/// Wide enough for two panes, and small enough to be read on a page.
const SIZE: (u16, u16) = (120, 34);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kiln, server, picture, recording] = arguments.as_slice() else {
        return Err("usage: record KILN SERVER SVG CAST; scripts/record does it".into());
    };
    let home = tempfile::tempdir()?;
    let kiln = Path::new(kiln).canonicalize()?;
    let program = Program::new(&kiln, home.path(), SIZE).variable("KILN_SERVER", server);
    let session = session::play(&program)?;
    fs::write(picture, svg::picture(&session.workspace))?;
    fs::write(recording, cast::recording(&session.chunks, SIZE))?;
    Ok(())
}
