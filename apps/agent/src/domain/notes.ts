/** A sentence for the job log. A warning makes the job partial (status 1). */
export interface Note {
  readonly level: 'info' | 'warning';
  readonly text: string;
}

/** Texts that are kept of one backup; further ones are only counted. */
export const NOTES_MAX = 1_000;

export interface NoteCounts {
  readonly infos: number;
  readonly warnings: number;
  /** Notes whose texts were not kept. */
  readonly untold: number;
}

/** What a backup has to say, in bounded memory. */
export interface NoteSummary extends NoteCounts {
  readonly texts: readonly Note[];
}

const NONE: NoteCounts = { infos: 0, warnings: 0, untold: 0 };

/** Keeps the first texts and counts them all. Warnings may push out no text, but always count. */
export class Notes {
  readonly #texts: Note[] = [];
  #infos: number;
  #warnings: number;
  #untold: number;

  /** @param before what was said before: it counts, and its texts take up room */
  constructor(
    private readonly textsMax = NOTES_MAX,
    before = NONE,
  ) {
    this.#infos = before.infos;
    this.#warnings = before.warnings;
    this.#untold = before.untold;
  }

  /** @returns true if the text itself was kept. */
  add(note: Note): boolean {
    if (note.level === 'warning') this.#warnings++;
    else this.#infos++;
    if (this.#infos + this.#warnings - this.#untold > this.textsMax) {
      this.#untold++;
      return false;
    }
    this.#texts.push(note);
    return true;
  }

  get counts(): NoteCounts {
    return { infos: this.#infos, warnings: this.#warnings, untold: this.#untold };
  }

  summary(): NoteSummary {
    return { texts: this.#texts, ...this.counts };
  }
}
