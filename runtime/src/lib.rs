//! Predict and explain with exported models on small machines.
