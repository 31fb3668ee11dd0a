import { catalogFragmentSources, SOURCES_PAGE_MAX } from '#contracts/catalog/copy.js';
import type { ResponseOf } from '#contracts/contract.js';
import type { Requests } from '#messaging/requests.js';
import type { RestoreFragment, RestoreImage } from './restore/restore-source.js';

type Found = ResponseOf<typeof catalogFragmentSources>['fragments'][number];

/** What the catalog knows of an image's fragments and where they can be read. */
export async function askForImage(
  requests: Pick<Requests, 'call'>,
  imageId: string,
  isReachable: (mediaId: string) => boolean,
): Promise<RestoreImage> {
  const found: Found[] = [];
  for (;;) {
    const { fragments } = await requests.call(catalogFragmentSources, {
      imageId,
      afterNumber: found.at(-1)?.number ?? 0,
      limit: SOURCES_PAGE_MAX,
    });
    found.push(...fragments);
    if (fragments.length < SOURCES_PAGE_MAX) return imageOf(imageId, found, isReachable);
  }
}

/** A number that the catalog passes over, or has no source for, is lost. */
export function imageOf(
  imageId: string,
  found: readonly Found[],
  isReachable: (mediaId: string) => boolean,
): RestoreImage {
  const fragments: RestoreFragment[] = [];
  const lost: number[] = [];
  let expected = 1;
  for (const { number, sources } of found) {
    for (; expected < number; expected++) lost.push(expected);
    expected = number + 1;
    const [first] = sources;
    if (!first) {
      lost.push(number);
      continue;
    }
    const order = [
      ...sources.filter(({ mediaId }) => isReachable(mediaId)),
      ...sources.filter(({ mediaId }) => !isReachable(mediaId)),
    ];
    const { archiveOffset, archiveBytes, storedBytes, indexBytes, indexDigest } = first;
    fragments.push({
      number,
      sources: order.map(({ fragmentId, copy, mediaId }) => ({ fragmentId, copy, mediaId })),
      ...{ archiveOffset, archiveBytes, storedBytes, indexBytes, indexDigest },
    });
  }
  return { imageId, fragments, lost };
}
