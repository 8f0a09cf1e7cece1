//! Builds the binary again when the UI inside it has changed.

fn main() {
    // A folder that is missing would count as changed each time.
    std::fs::create_dir_all("../frontend/dist").expect("the folder can be made");
    println!("cargo:rerun-if-changed=../frontend/dist");
    println!("cargo:rerun-if-changed=../migrations");
}
