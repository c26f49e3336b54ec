//! Triggers that are not the right ones.

use saligate_keys::{ImageShape, Secret, Trigger, TriggerError, TriggerSpec};
use saligate_models::random::Stream;

/// The trigger of a random key.
///
/// # Errors
/// The trigger does not fit on the image.
pub fn random_trigger(
    spec: &TriggerSpec,
    shape: ImageShape,
    stream: &mut Stream,
) -> Result<Trigger, TriggerError> {
    let mut secret = [0; Secret::LEN];
    stream.fill(&mut secret);
    spec.derive(&Secret::from_bytes(&secret), shape)
}

/// An image `[channel, row, column]` of 8-bit pixels with a trigger on it.
///
/// # Errors
/// The image has another shape than the trigger.
pub fn applied(trigger: &Trigger, image: &[u8]) -> Result<Vec<u8>, TriggerError> {
    let mut triggered = image.to_vec();
    trigger.apply(&mut triggered)?;
    Ok(triggered)
}

/// `from` moved towards `to` by a share in [0, 1], rounded to 8 bits.
pub fn blend(from: &[u8], to: &[u8], share: f32) -> Vec<u8> {
    let mixed =
        |(&a, &b): (&u8, &u8)| (f32::from(a) + share * (f32::from(b) - f32::from(a))).round() as u8;
    from.iter().zip(to).map(mixed).collect()
}
