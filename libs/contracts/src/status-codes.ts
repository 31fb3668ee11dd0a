/**
 * The field's status codes with their texts, as administrators of such systems know them
 * (`0` success, `1` partial, `71` no such files ...). Only codes that Holdfast can give are listed.
 */
export const STATUS_TEXTS: Readonly<Record<number, string>> = {
  0: 'the requested operation was successfully completed',
  1: 'the requested operation was partially successful',
  2: 'none of the requested files were backed up',
  5: 'the restore failed to recover the requested files',
  6: 'the backup failed to back up the requested files',
  11: 'system call failed',
  12: 'file open failed',
  13: 'file read failed',
  14: 'file write failed',
  20: 'invalid command parameter',
  25: 'cannot connect on socket',
  26: 'client/server handshaking failed',
  40: 'network connection broken',
  41: 'network connection timed out',
  46: 'server not allowed access',
  49: 'client did not start',
  50: 'client process aborted',
  58: "can't connect to client",
  63: 'process was killed by a signal',
  71: 'none of the files in the file list exist',
  73: 'bpstart_notify failed',
  74: 'client timed out waiting for bpstart_notify to complete',
  75: 'client timed out waiting for bpend_notify to complete',
  77: 'execution of the specified system command returned a nonzero status',
  82: 'media manager killed by signal',
  83: 'media open error',
  84: 'media write error',
  85: 'media read error',
  92: 'media manager detected image that was not in tar format',
  96: 'unable to allocate new media for backup, storage unit has none available',
  129: 'Disk storage unit is full',
  130: 'system error occurred',
  144: 'invalid command usage',
  149: 'master server request failed',
  150: 'termination requested by administrator',
  165: 'NB image database contains no image fragments for requested backup id/copy number',
  185: 'tar did not find all the files to be restored',
  190: 'found no images or media matching the selection criteria',
  191: 'no images were successfully processed',
  200: 'scheduler found no backups due to run',
  213: 'no storage units available for use',
  219: 'the required storage unit is unavailable',
  220: 'database system error',
  226: 'the entity already exists',
  227: 'no entity was found',
  229: 'events out of sequence - image inconsistency',
  230: 'the specified policy does not exist in the configuration database',
  236: 'the specified client does not exist in an active policy',
  239: 'the specified client does not exist in the specified policy',
  240: 'no schedules of the correct type exist in this policy',
  197: 'the specified schedule does not exist in the specified policy',
  243: 'the client is not in the configuration',
  247: 'the specified policy is not active',
  805: 'Invalid jobid',
  811: 'failed to communicate with resource requester',
  812: 'failed to communicate with resource broker',
  1000: 'Client is offline',
  1057: 'A data corruption has been detected',
  2027: 'media server is not active',
  2040: 'maximum job count has been reached for the storage unit',
};

export const STATUS_PARTIAL = 1;
export const STATUS_OK = 0;

/** The text of a status code. */
export function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? `status ${status}`;
}
