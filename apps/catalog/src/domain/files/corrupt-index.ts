/** A fragment's file index is not what its commit says, or not an index. Its files stay unknown. */
export class CorruptIndex extends Error {
  override readonly name = 'CorruptIndex';

  constructor(what: string, options?: ErrorOptions) {
    super(`The file index is damaged: ${what}`, options);
  }
}
