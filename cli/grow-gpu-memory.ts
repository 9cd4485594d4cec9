/**
 * Imported before TensorFlow is: it then takes a GPU's memory as it needs it, not nearly all at once, and other
 * processes find some.
 */
process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
