import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import {
  catalogBackup,
  catalogForgetVolume,
  catalogImport,
  catalogReconcile,
  catalogRestore,
} from '#contracts/catalog/care.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { NotFound } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { MediaVolumes } from '../persistence/care/media-volumes.js';
import { CatalogCopies } from './catalog-copies.js';
import { Reconciler } from './reconciler.js';
import { StorageImport } from './storage-import.js';

/** What an administrator asks for the sake of the catalog itself. */
@Controller()
export class CareHandlers {
  constructor(
    private readonly reconciler: Reconciler,
    private readonly storage: StorageImport,
    private readonly copies: CatalogCopies,
    private readonly database: DataSource,
  ) {}

  @Answers(catalogReconcile)
  async reconcile(
    page: RequestOf<typeof catalogReconcile>,
  ): Promise<ResponseOf<typeof catalogReconcile>> {
    const { orphans: _, inDoubt: __, ...answer } = await this.reconciler.page(page);
    return answer;
  }

  @Answers(catalogForgetVolume)
  async forgetVolume({
    mediaId,
    volumeId,
  }: RequestOf<typeof catalogForgetVolume>): Promise<ResponseOf<typeof catalogForgetVolume>> {
    const isKnown = await new MediaVolumes(this.database).forget(mediaId, volumeId);
    if (!isKnown) throw new NotFound('volume', volumeId);
    return {};
  }

  @Answers(catalogImport)
  importStorage(page: RequestOf<typeof catalogImport>): Promise<ResponseOf<typeof catalogImport>> {
    return this.storage.page(page);
  }

  @Answers(catalogBackup)
  backup(_request: RequestOf<typeof catalogBackup>): Promise<ResponseOf<typeof catalogBackup>> {
    return this.copies.backup();
  }

  @Answers(catalogRestore)
  restore({ path }: RequestOf<typeof catalogRestore>): Promise<ResponseOf<typeof catalogRestore>> {
    return this.copies.restore(path);
  }
}
