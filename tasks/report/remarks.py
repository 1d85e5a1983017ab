"""What a reader must know beside the results of a run: oddities of its images, accuracy that chance would give."""

from tasks.results.run import Results
from tasks.wording import and_list, counted, percent

FEW_VALIDATION_IMAGES = 100  # of fewer, one image more or less moves the accuracy by more than a point


def remarks(results: Results) -> list[str]:
    """Return a sentence for each thing about the run that is out of the ordinary."""
    data = results.dataset
    found = []
    if (validation := data.counts["validation"]) < FEW_VALIDATION_IMAGES:
        found.append(f"Only {counted(validation, 'validation image')}: losses and onsets rest on few images.")
    if data.repeated_test_images:
        found.append(
            f"{data.repeated_test_images:,} of {data.counts['test']:,} test images are training images too: on "
            "them accuracy shows memory, not recognition."
        )
    if data.broken_pictures:
        found.append(f"{counted(data.broken_pictures, 'picture')} could not be read, and took no part.")
    if data.blank_images:
        found.append(
            f"{counted(data.blank_images, 'image')} {'is' if data.blank_images == 1 else 'are'} blank."
        )
    for name, model in results.finished.items():
        if seeds := [str(each.seed) for each in model.finished if each.test.no_better_than_chance]:
            share = max(model.finished[0].test.per_class_n) / model.finished[0].test.n
            found.append(
                f"{name} (seed {and_list(seeds)}) is not shown to be better than always answering the most "
                f"frequent class, which {percent(share)} of the test images have."
            )
    return found
