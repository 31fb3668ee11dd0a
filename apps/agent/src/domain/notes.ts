/** A sentence for the job log. A warning makes the job partial (status 1). */
export interface Note {
  readonly level: 'info' | 'warning';
  readonly text: string;
}

/** Texts that are kept of one backup; further ones are only counted. */
export const NOTES_MAX = 1_000;

/** What a backup has to say, in bounded memory. */
export interface NoteSummary {
  readonly texts: readonly Note[];
  readonly infos: number;
  readonly warnings: number;
}

/** Keeps the first texts and counts them all. Warnings may push out no text, but always count. */
export class Notes {
  readonly #texts: Note[] = [];
  #infos = 0;
  #warnings = 0;

  constructor(private readonly textsMax = NOTES_MAX) {}

  /** @returns true if the text itself was kept. */
  add(note: Note): boolean {
    if (note.level === 'warning') this.#warnings++;
    else this.#infos++;
    if (this.#texts.length >= this.textsMax) return false;
    this.#texts.push(note);
    return true;
  }

  summary(): NoteSummary {
    return { texts: this.#texts, infos: this.#infos, warnings: this.#warnings };
  }
}
