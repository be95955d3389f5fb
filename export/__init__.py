"""The model factory: checkpoints to model folders, training, evaluation. The only home of torch."""
