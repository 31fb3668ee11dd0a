import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { catalogFiles, catalogFind } from '#contracts/image.js';
import { NotFound } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { IMAGES_HINT, unknownImage } from './domain/chains/chain.js';
import { toFileView } from './domain/files/file-view.js';
import { planFind, trimSlashes } from './domain/files/glob.js';
import { FileFinds } from './persistence/files/file-finds.js';
import { Files } from './persistence/files/files.js';

/** Looking for files. */
@Controller()
export class FileQueryHandlers {
  private readonly files: Files;
  private readonly finds: FileFinds;

  constructor(database: DataSource) {
    this.files = new Files(database);
    this.finds = new FileFinds(database);
  }

  @Answers(catalogFiles)
  async list(request: RequestOf<typeof catalogFiles>): Promise<ResponseOf<typeof catalogFiles>> {
    const { imageId, prefix, after, limit } = request;
    const image = await this.files.image(imageId);
    if (!image) throw unknownImage(imageId);
    const entries = await this.files.list(image, {
      prefix: prefix === undefined ? '' : trimSlashes(prefix),
      after: after === undefined ? undefined : trimSlashes(after),
      limit,
    });
    return { files: entries.map(toFileView) };
  }

  @Answers(catalogFind)
  async find(request: RequestOf<typeof catalogFind>): Promise<ResponseOf<typeof catalogFind>> {
    const { pattern, client, limit } = request;
    const known = await this.finds.clients();
    if (client !== undefined && !known.includes(client)) {
      throw new NotFound('client with images', client, 243, IMAGES_HINT);
    }
    const clients = client === undefined ? known : [client];
    // One more than asked for shows whether there are more.
    const found = await this.finds.find(planFind(pattern), { clients, limit: limit + 1 });
    return {
      files: found.slice(0, limit).map((entry) => ({
        ...toFileView(entry),
        backupTime: new Date(entry.backupTime * 1_000).toISOString(),
        client: entry.client,
      })),
      truncated: found.length > limit,
    };
  }
}
