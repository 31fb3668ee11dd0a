/**
 * The field's status codes, as administrators of such systems know them: name here, number, text. Those that Holdfast
 * gives, and some that stand beside them in the field's tables, which scripts and hooks may give.
 */
const TABLE = {
  ok: [0, 'the requested operation was successfully completed'],
  // Up to this one whoever ended so has done its part.
  partial: [1, 'the requested operation was partially successful'],
  nothingBackedUp: [2, 'none of the requested files were backed up'],
  restoreFailed: [5, 'the restore failed to recover the requested files'],
  backupFailed: [6, 'the backup failed to back up the requested files'],
  systemCallFailed: [11, 'system call failed'],
  fileOpenFailed: [12, 'file open failed'],
  fileReadFailed: [13, 'file read failed'],
  fileWriteFailed: [14, 'file write failed'],
  invalidParameter: [20, 'invalid command parameter'],
  cannotConnect: [25, 'cannot connect on socket'],
  handshakeFailed: [26, 'client/server handshaking failed'],
  connectionBroken: [40, 'network connection broken'],
  connectionTimedOut: [41, 'network connection timed out'],
  accessNotAllowed: [46, 'server not allowed access'],
  clientNotStarted: [49, 'client did not start'],
  clientAborted: [50, 'client process aborted'],
  mountTimedOut: [52, 'timed out waiting for media manager to mount volume'],
  clientUnreachable: [58, "can't connect to client"],
  killedBySignal: [63, 'process was killed by a signal'],
  noSuchFiles: [71, 'none of the files in the file list exist'],
  startNotifyFailed: [73, 'bpstart_notify failed'],
  startNotifyTimedOut: [74, 'client timed out waiting for bpstart_notify to complete'],
  endNotifyTimedOut: [75, 'client timed out waiting for bpend_notify to complete'],
  commandFailed: [77, 'execution of the specified system command returned a nonzero status'],
  mediaManagerKilled: [82, 'media manager killed by signal'],
  mediaOpenError: [83, 'media open error'],
  mediaWriteError: [84, 'media write error'],
  mediaReadError: [85, 'media read error'],
  notTarFormat: [92, 'media manager detected image that was not in tar format'],
  wrongTape: [93, 'media manager found wrong tape in drive'],
  noNewMedia: [96, 'unable to allocate new media for backup, storage unit has none available'],
  mediaInUse: [97, 'requested media ID is in use, cannot process request'],
  mediaRequestFailed: [98, 'error requesting media (tpreq)'],
  diskFull: [129, 'Disk storage unit is full'],
  systemError: [130, 'system error occurred'],
  invalidUsage: [144, 'invalid command usage'],
  masterRequestFailed: [149, 'master server request failed'],
  cancelled: [150, 'termination requested by administrator'],
  suspended: [157, 'suspend requested by administrator'],
  noFragments: [
    165,
    'NB image database contains no image fragments for requested backup id/copy number',
  ],
  filesNotFound: [185, 'tar did not find all the files to be restored'],
  noImagesMatch: [190, 'found no images or media matching the selection criteria'],
  noImagesProcessed: [191, 'no images were successfully processed'],
  windowClosed: [196, 'client backup was not attempted because backup window closed'],
  noSuchSchedule: [197, 'the specified schedule does not exist in the specified policy'],
  noScheduleForClient: [
    198,
    'no active policies contain schedules of the requested type for this client',
  ],
  notAllowedNow: [199, 'operation not allowed during this time period'],
  nothingDue: [200, 'scheduler found no backups due to run'],
  noStorageUnits: [213, 'no storage units available for use'],
  storageUnitUnavailable: [219, 'the required storage unit is unavailable'],
  databaseError: [220, 'database system error'],
  alreadyExists: [226, 'the entity already exists'],
  notFound: [227, 'no entity was found'],
  cannotProcess: [228, 'unable to process request'],
  outOfSequence: [229, 'events out of sequence - image inconsistency'],
  noSuchPolicy: [230, 'the specified policy does not exist in the configuration database'],
  clientInNoActivePolicy: [236, 'the specified client does not exist in an active policy'],
  clientNotInPolicy: [239, 'the specified client does not exist in the specified policy'],
  noScheduleOfType: [240, 'no schedules of the correct type exist in this policy'],
  wrongScheduleType: [241, 'the specified schedule is the wrong type for this request'],
  clientNotConfigured: [243, 'the client is not in the configuration'],
  policyNotActive: [247, 'the specified policy is not active'],
  nothingToSynthesize: [607, 'no images were found to synthesize'],
  resourceRequestFailed: [800, 'resource request failed'],
  noSuchJob: [805, 'Invalid jobid'],
  requesterUnreachable: [811, 'failed to communicate with resource requester'],
  brokerUnreachable: [812, 'failed to communicate with resource broker'],
  clientOffline: [1000, 'Client is offline'],
  dataCorruption: [1057, 'A data corruption has been detected'],
  noSuchAllocation: [2023, 'allocation identifier is not known to EMM'],
  mediaServerNotActive: [2027, 'media server is not active'],
  highWaterMark: [2030, 'insufficient disk space or high water mark would be exceeded'],
  maximumJobs: [2040, 'maximum job count has been reached for the storage unit'],
  onDemandOnly: [2111, 'all storage units are On Demand Only'],
} as const;

const TEXTS: ReadonlyMap<number, string> = new Map(Object.values(TABLE));

/** The numbers by name. */
export const STATUS = Object.fromEntries(
  Object.entries(TABLE).map(([name, [number]]) => [name, number]),
) as Readonly<Record<keyof typeof TABLE, number>>;

/** The text of a status code. */
export function statusText(status: number): string {
  return TEXTS.get(status) ?? `status ${status}`;
}
