//! Intents and locks as people have them: the examples, and what happens when they are damaged.

mod attached;
mod demands;
mod examples;
mod locks;
mod mistakes;
