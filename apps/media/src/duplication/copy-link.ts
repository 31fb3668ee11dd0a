import { Injectable } from '@nestjs/common';
import { catalogFragmentSources, fragmentSuspect } from '#contracts/catalog/copy.js';
import { Requests } from '#messaging/requests.js';
import { MediaConfig } from '../config.js';
import type { VerifyCatalog } from '../inventory/verify-run.js';
import type { NumberSources, SourceCatalog } from './duplicate-run.js';

/** What a media server asks the catalog about copies, and tells it of them. */
@Injectable()
export class CopyLink implements SourceCatalog, VerifyCatalog {
  constructor(
    private readonly requests: Requests,
    private readonly config: MediaConfig,
  ) {}

  async missing(
    { imageId, copy }: { readonly imageId: string; readonly copy: number },
    afterNumber: number,
  ): Promise<readonly NumberSources[]> {
    const request = { imageId, missingIn: copy, afterNumber };
    return (await this.requests.call(catalogFragmentSources, request)).fragments;
  }

  async fragments(imageId: string, afterNumber: number): Promise<readonly NumberSources[]> {
    const request = { imageId, afterNumber };
    return (await this.requests.call(catalogFragmentSources, request)).fragments;
  }

  async suspect(fragmentId: string, reason: string): Promise<void> {
    const reporter = `media server ${this.config.mediaId}`;
    const said = { fragmentId, reason: reason.slice(0, 2_000), reporter };
    await this.requests.call(fragmentSuspect, said);
  }
}
