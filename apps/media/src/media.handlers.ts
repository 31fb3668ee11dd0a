import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { mediaDrain, mediaFragments, mediaOpenRead } from '#contracts/media.js';
import { randomToken } from '#kernel/ids.js';
import { Answers } from '#messaging/answers.js';
import { MediaNode } from './media-node.js';
import { ReadSession } from './sessions/read-session.js';
import { drainCopy } from './tasks/drain.js';
import { MediaTasks } from './tasks/media-tasks.js';

/** Requests to this media server. */
@Controller()
export class MediaHandlers {
  constructor(
    private readonly node: MediaNode,
    private readonly tasks: MediaTasks,
  ) {}

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

  @Answers(mediaDrain)
  async drain(copy: RequestOf<typeof mediaDrain>): Promise<ResponseOf<typeof mediaDrain>> {
    const open = await drainCopy(copy, {
      offers: this.node.offers,
      stopWriters: (of, patienceMs) => this.tasks.stopWriters(of, patienceMs),
    });
    return { open };
  }
}
