import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { mediaCollect, mediaReleaseOrphans } from '#contracts/media.js';
import { Answers } from '#messaging/answers.js';
import { MediaNode } from '../media-node.js';
import { ChunkCollections } from './chunk-collections.js';

/** What operators and the catalog ask about volumes that share chunks. */
@Controller()
export class ChunkHandlers {
  constructor(
    private readonly node: MediaNode,
    private readonly collections: ChunkCollections,
  ) {}

  @Answers(mediaCollect)
  async collect(
    _request: RequestOf<typeof mediaCollect>,
  ): Promise<ResponseOf<typeof mediaCollect>> {
    return { volumes: await this.collections.collect() };
  }

  /**
   * The catalog has compared every fragment that it knows here with what these volumes held, as they were
   * opened then: none is missing, none unknown.
   */
  @Answers(mediaReleaseOrphans)
  async releaseOrphans({
    doubts,
  }: RequestOf<typeof mediaReleaseOrphans>): Promise<ResponseOf<typeof mediaReleaseOrphans>> {
    let released = 0;
    for (const doubt of doubts) {
      const volume = [...this.node.volumes].find(({ volumeId }) => volumeId === doubt.volumeId);
      await volume?.requireAnswer();
      if (await volume?.releaseOrphans(doubt)) released += 1;
    }
    if (released > 0) this.collections.want();
    return { released };
  }
}
