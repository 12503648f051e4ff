//! Writes the inputs that each body accepts to `corpus/`, where cargo-fuzz begins.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for body in tests::fuzz_bodies::BODIES {
        let folder = corpus.join(body.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (body.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
