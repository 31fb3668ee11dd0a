import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { pathOf } from '#archive/file-lines.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { catalogFiles, catalogFilesText, catalogFind } from '#contracts/image.js';
import { NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Answers } from '#messaging/answers.js';
import { IMAGES_HINT, unknownImage } from './domain/chains/chain.js';
import { toFileView } from './domain/files/file-view.js';
import { planFind, trimSlashes } from './domain/files/glob.js';
import { FileFinds } from './persistence/files/file-finds.js';
import { Files, type FilesFrom, type ImageFiles } from './persistence/files/files.js';

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
    const image = await this.image(request.imageId);
    const entries = await this.files.list(image, { ...placesOf(request), limit: request.limit });
    return { files: entries.map(toFileView) };
  }

  @Answers(catalogFilesText)
  async text(
    request: RequestOf<typeof catalogFilesText>,
  ): Promise<ResponseOf<typeof catalogFilesText>> {
    const image = await this.image(request.imageId);
    const { text, next } = await this.files.text(image, placesOf(request));
    return { text, next: next ? pathOf(next) : null };
  }

  private async image(imageId: string): Promise<ImageFiles> {
    const image = await this.files.image(imageId);
    if (!image) throw unknownImage(imageId);
    return image;
  }

  @Answers(catalogFind)
  async find(request: RequestOf<typeof catalogFind>): Promise<ResponseOf<typeof catalogFind>> {
    const { pattern, client, limit } = request;
    const known = await this.finds.clients();
    if (client !== undefined && !known.includes(client)) {
      throw new NotFound('client with images', client, STATUS.clientNotConfigured, IMAGES_HINT);
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

/** Paths of a request as the trees have them. */
function placesOf({
  prefix,
  after,
}: {
  prefix?: string | undefined;
  after?: string | undefined;
}): FilesFrom {
  return {
    prefix: prefix === undefined ? '' : trimSlashes(prefix),
    after: after === undefined ? undefined : trimSlashes(after),
  };
}
