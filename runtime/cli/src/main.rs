//! The saligate program: predict, explain, inspect, demo.
fn main() {}
