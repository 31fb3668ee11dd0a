/** What a listing of a store gives, up to what it throws behind that, which is for `failed`. */
export async function* untilUnread<T>(
  listing: AsyncIterable<T>,
  failed: (error: unknown) => void,
): AsyncGenerator<T> {
  try {
    yield* listing;
  } catch (error) {
    failed(error);
  }
}
