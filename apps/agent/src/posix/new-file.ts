import { constants } from 'node:fs';

/** For a file that must not be there yet, not even as a symlink. */
export const NEW_FILE_FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
