import { Controller } from '@nestjs/common';
import {
  catalogBackup,
  catalogImport,
  catalogReconcile,
  catalogRestore,
} from '#contracts/catalog/care.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
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
  ) {}

  @Answers(catalogReconcile)
  reconcile(
    page: RequestOf<typeof catalogReconcile>,
  ): Promise<ResponseOf<typeof catalogReconcile>> {
    return this.reconciler.page(page);
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
