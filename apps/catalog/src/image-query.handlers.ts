import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  catalogChain,
  catalogFragments,
  catalogImage,
  catalogImages,
  type ImageView,
} from '#contracts/image.js';
import { NotFound } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { choosePolicy, IMAGES_HINT, restoreChain, unknownImage } from './domain/chain.js';
import { ImageViews } from './persistence/image-views.js';

type ChainRequest = RequestOf<typeof catalogChain>;

/** Looking at images. */
@Controller()
export class ImageQueryHandlers {
  private readonly views: ImageViews;

  constructor(database: DataSource) {
    this.views = new ImageViews(database);
  }

  @Answers(catalogImages)
  async images(filter: RequestOf<typeof catalogImages>): Promise<ResponseOf<typeof catalogImages>> {
    if (filter.client !== undefined) await this.requireClient(filter.client);
    if (filter.before !== undefined) await this.require(filter.before);
    return { images: await this.views.page(filter) };
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
  async chain(request: ChainRequest): Promise<ResponseOf<typeof catalogChain>> {
    const imageId = 'imageId' in request ? request.imageId : await this.imageAt(request);
    const exact = 'imageId' in request && request.exact;
    const known = await this.views.withAncestors(imageId);
    const images = restoreChain(imageId, known, exact);
    const media = await this.views.mediaOf(images.map((image) => image.imageId));
    return {
      client: images[0]!.client,
      images: images.map(({ imageId: id, kind }) => ({
        ...{ imageId: id, kind, ...(media.get(id) ?? { media: [], anyOf: [] }) },
      })),
    };
  }

  private async imageAt(request: Extract<ChainRequest, { at: string }>): Promise<string> {
    const { client, at, policy } = request;
    await this.requireClient(client);
    const time = Math.floor(Date.parse(at) / 1_000);
    const policies = await this.views.policiesAt(client, time);
    const chosen = choosePolicy(
      policies.filter((name) => policy === undefined || name === policy),
      at,
    );
    return (await this.views.newestAt(client, chosen, time))!;
  }

  private async require(imageId: string): Promise<ImageView> {
    const image = await this.views.one(imageId);
    if (!image) throw unknownImage(imageId);
    return image;
  }

  private async requireClient(client: string): Promise<void> {
    if (await this.views.hasClient(client)) return;
    throw new NotFound('client with images', client, 243, IMAGES_HINT);
  }
}
