import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  catalogChain,
  catalogFragments,
  catalogImage,
  catalogImages,
  catalogSynthesisChain,
  type ImageView,
} from '#contracts/image.js';
import { PAGE_BYTES_MAX } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { Answers } from '#messaging/answers.js';
import { upTo } from '#service/page-bytes.js';
import { unknownImage } from './domain/chains/chain.js';
import { ImageViews } from './persistence/image-views.js';
import { RestoreChains } from './restore-chains.js';

/** Looking at images. */
@Controller()
export class ImageQueryHandlers {
  private readonly views: ImageViews;
  private readonly chains: RestoreChains;

  constructor(database: DataSource, clock: Clock) {
    this.views = new ImageViews(database);
    this.chains = new RestoreChains(database, clock);
  }

  /** At most as many as one answer can carry. */
  @Answers(catalogImages)
  async images(filter: RequestOf<typeof catalogImages>): Promise<ResponseOf<typeof catalogImages>> {
    if (filter.client !== undefined) await this.chains.requireClient(filter.client);
    if (filter.before !== undefined) await this.require(filter.before);
    const found = await this.views.page({ ...filter, limit: filter.limit + 1 });
    const images = upTo(PAGE_BYTES_MAX, found.slice(0, filter.limit));
    return { images, more: images.length < found.length };
  }

  @Answers(catalogImage)
  async image(request: RequestOf<typeof catalogImage>): Promise<ResponseOf<typeof catalogImage>> {
    return { image: await this.require(request.imageId) };
  }

  @Answers(catalogFragments)
  async fragments(
    request: RequestOf<typeof catalogFragments>,
  ): Promise<ResponseOf<typeof catalogFragments>> {
    await this.require(request.imageId);
    return { fragments: await this.views.fragments(request) };
  }

  @Answers(catalogChain)
  chain(request: RequestOf<typeof catalogChain>): Promise<ResponseOf<typeof catalogChain>> {
    return this.chains.of(request);
  }

  @Answers(catalogSynthesisChain)
  synthesis(
    request: RequestOf<typeof catalogSynthesisChain>,
  ): Promise<ResponseOf<typeof catalogSynthesisChain>> {
    return this.chains.synthesis(request);
  }

  private async require(imageId: string): Promise<ImageView> {
    const image = await this.views.one(imageId);
    if (!image) throw unknownImage(imageId);
    return image;
  }
}
