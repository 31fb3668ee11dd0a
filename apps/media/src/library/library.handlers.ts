import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  mediaEject,
  mediaImport,
  mediaLabel,
  mediaLibrary,
  mediaLibraryInventory,
  mediaMountAnswer,
  mediaMounts,
  mediaRetire,
  mediaVolumeState,
} from '#contracts/media/library.js';
import { NotFound } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { MediaNode } from '../media-node.js';
import { libraryOf } from './library-of.js';

/** What operators ask and do about the libraries of this media server. */
@Controller()
export class LibraryHandlers {
  constructor(private readonly node: MediaNode) {}

  @Answers(mediaLibrary)
  async library(
    _request: RequestOf<typeof mediaLibrary>,
  ): Promise<ResponseOf<typeof mediaLibrary>> {
    return { libraries: await Promise.all(this.node.libraries.map((one) => one.view())) };
  }

  @Answers(mediaMounts)
  async mounts(_request: RequestOf<typeof mediaMounts>): Promise<ResponseOf<typeof mediaMounts>> {
    return { requests: this.node.libraries.flatMap(({ mounts }) => mounts.list()) };
  }

  @Answers(mediaMountAnswer)
  async mountAnswer({
    requestId,
    action,
    reason,
  }: RequestOf<typeof mediaMountAnswer>): Promise<ResponseOf<typeof mediaMountAnswer>> {
    const library = this.node.libraries.find(({ mounts }) => mounts.has(requestId));
    if (!library) throw new NotFound('mount request', requestId);
    if (action === 'mounted') return { imported: await library.importMail() };
    library.mounts.cancel(requestId, reason);
    return { imported: [] };
  }

  @Answers(mediaLabel)
  async label({
    pool,
    slot,
    label,
  }: RequestOf<typeof mediaLabel>): Promise<ResponseOf<typeof mediaLabel>> {
    return { volume: await libraryOf(this.node.libraries, pool).label(slot, label) };
  }

  @Answers(mediaLibraryInventory)
  async inventory({
    pool,
  }: RequestOf<typeof mediaLibraryInventory>): Promise<ResponseOf<typeof mediaLibraryInventory>> {
    return { found: await libraryOf(this.node.libraries, pool).inventory() };
  }

  @Answers(mediaImport)
  async import({ pool }: RequestOf<typeof mediaImport>): Promise<ResponseOf<typeof mediaImport>> {
    return { imported: await libraryOf(this.node.libraries, pool).importMail() };
  }

  @Answers(mediaEject)
  async eject({
    pool,
    volume,
  }: RequestOf<typeof mediaEject>): Promise<ResponseOf<typeof mediaEject>> {
    return { barcode: await libraryOf(this.node.libraries, pool).eject(volume) };
  }

  @Answers(mediaRetire)
  async retire({
    pool,
    volume,
  }: RequestOf<typeof mediaRetire>): Promise<ResponseOf<typeof mediaRetire>> {
    return libraryOf(this.node.libraries, pool).retire(volume);
  }

  @Answers(mediaVolumeState)
  async volumeState({
    pool,
    volume,
    state,
    reason,
  }: RequestOf<typeof mediaVolumeState>): Promise<ResponseOf<typeof mediaVolumeState>> {
    const library = libraryOf(this.node.libraries, pool);
    const said = state === 'suspended' ? reason : null;
    return { volume: await library.setState(volume, said) };
  }
}
