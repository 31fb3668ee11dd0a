import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { mediaFragments, mediaOpenRead } from '#contracts/media.js';
import { randomToken } from '#kernel/ids.js';
import { Answers } from '#messaging/answers.js';
import { MediaNode } from './media-node.js';
import { ReadSession } from './sessions/read-session.js';

/** Requests to this media server. */
@Controller()
export class MediaHandlers {
  constructor(private readonly node: MediaNode) {}

  @Answers(mediaOpenRead)
  async openRead({
    imageId,
  }: RequestOf<typeof mediaOpenRead>): Promise<ResponseOf<typeof mediaOpenRead>> {
    const token = randomToken();
    const { registry, volumes, address } = this.node;
    registry.expect({
      token,
      role: 'read',
      serve: async (connection) => {
        await new ReadSession({ imageIds: [imageId], places: volumes }).run(connection);
      },
    });
    return { address, token };
  }

  @Answers(mediaFragments)
  async fragments(
    _request: RequestOf<typeof mediaFragments>,
  ): Promise<ResponseOf<typeof mediaFragments>> {
    return { states: this.node.volumes.countByState() };
  }
}
