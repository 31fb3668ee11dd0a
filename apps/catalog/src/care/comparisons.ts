import { Injectable } from '@nestjs/common';

/**
 * Which media servers were compared with the catalog since it was last in doubt. A database that was
 * put back shows copies as good whose bytes are gone by tombstones that it has forgotten; to delete
 * the other copy then would lose the image. So what an image keeps is believed only when its media
 * servers were compared in this *era*: since the database was started, under this epoch. Kept in memory, since
 * what the database itself says of that is in doubt as well.
 */
@Injectable()
export class Comparisons {
  private readonly eras = new Map<string, string>();

  /** A server was compared, from its first fragment to its last, all in this era. */
  mark(mediaId: string, era: string): void {
    this.eras.set(mediaId, era);
  }

  /** Those of the servers that were not compared in this era. */
  missing(mediaIds: readonly string[], era: string): string[] {
    return mediaIds.filter((mediaId) => this.eras.get(mediaId) !== era);
  }
}
