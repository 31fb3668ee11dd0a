import type { IndexCursor, IndexItem } from '#archive/chain/index-merge.js';
import { fromPathTextBytes } from '#archive/path-text.js';
import { FragmentDamaged } from '#storage/errors.js';
import type { ChainImage } from './chain-image.js';

/** Goes through the index of one image of a chain. A line that is none is thrown, never passed over. */
export class ImageCursor implements IndexCursor {
  private items: IndexItem[] = [];
  private at = 0;
  private readonly texts: AsyncGenerator<string, void, undefined>;

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
  }

  private parse(text: string): IndexItem[] {
    const lines = text.split('\n');
    lines.pop();
    return lines.map((line) => {
      const end = line.indexOf('\t', 2);
      if (end < 0 || line[1] !== '\t') {
        throw new FragmentDamaged(this.image.imageId, 'has a line in its index that is none');
      }
      const path = fromPathTextBytes(line.slice(2, end));
      return { image: this.number, type: line[0]!, path, line };
    });
  }
}
