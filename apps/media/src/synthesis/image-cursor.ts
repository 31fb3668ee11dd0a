import { compareArchivePaths } from '#archive/archive-order.js';
import type { IndexCursor, IndexItem } from '#archive/chain/index-merge.js';
import { fromPathTextBytes, toPathText, type ByteString } from '#archive/path-text.js';
import { messageOf } from '#kernel/errors.js';
import type { ChainImage, IndexText } from './chain-image.js';
import { ImageDamaged } from './image-damaged.js';

/**
 * Goes through the index of one image of a chain. A line that is none, or stands in the wrong place, is thrown
 * (`ImageDamaged`), never passed over. The image is closed with the cursor.
 */
export class ImageCursor implements IndexCursor {
  private items: IndexItem[] = [];
  private at = 0;
  private last: ByteString | undefined;
  private readonly texts: AsyncGenerator<IndexText, void, undefined>;

  constructor(
    private readonly image: ChainImage,
    /** Its place in the chain, 0 being the oldest. */
    private readonly number: number,
  ) {
    this.texts = image.index();
  }

  get current(): IndexItem | undefined {
    return this.items[this.at];
  }

  step(): boolean {
    return ++this.at < this.items.length;
  }

  async load(): Promise<boolean> {
    while (this.current === undefined) {
      const next = await this.texts.next();
      if (next.done === true) return false;
      this.items = this.parse(next.value);
      this.at = 0;
    }
    return true;
  }

  async close(): Promise<void> {
    await this.texts.return();
    await this.image.close();
  }

  private parse({ number, text }: IndexText): IndexItem[] {
    const lines = text.split('\n');
    try {
      if (lines.pop() !== '') throw new Error('a line has no end');
      return lines.map((line) => this.item(line));
    } catch (error) {
      const { imageId } = this.image;
      throw new ImageDamaged({ imageId, number }, `its index is damaged: ${messageOf(error)}`);
    }
  }

  private item(line: string): IndexItem {
    const end = line.indexOf('\t', 2);
    if (end < 0 || line[1] !== '\t') throw new Error('a line is none');
    const path = fromPathTextBytes(line.slice(2, end));
    if (this.last !== undefined && compareArchivePaths(this.last, path) >= 0) {
      throw new Error(`/${toPathText(path)} is not in its place`);
    }
    this.last = path;
    return { image: this.number, type: line[0]!, path, line };
  }
}
