import type { PolicySpec, PolicyWarning } from '#contracts/policy.js';

/** What is known of a client: `undefined` says that all is well. */
export function clientWarning(
  index: number,
  client: string,
  isKnown: boolean,
): PolicyWarning | undefined {
  if (isKnown) return undefined;
  return {
    field: `policy.clients[${index}]`,
    message: `no agent has spoken for "${client}" yet: its backups are refused until one does`,
  };
}

/** Where the policy and its schedules store to, against the units that there are. */
export function storageWarnings(
  policy: PolicySpec,
  units: readonly { readonly name: string }[],
): PolicyWarning[] {
  const names = new Set(units.map(({ name }) => name));
  const places = [
    // Where each schedule has storage of its own, the policy's is not used.
    ...(policy.schedules.every(({ storage }) => storage !== undefined)
      ? []
      : [{ field: 'policy.storage', storage: policy.storage }]),
    ...policy.schedules.flatMap(({ storage }, index) =>
      storage === undefined ? [] : [{ field: `policy.schedules[${index}].storage`, storage }],
    ),
  ];
  return places
    .filter(({ storage }) => !names.has(storage))
    .map(({ field, storage }) => ({
      field,
      message: `there is no storage unit "${storage}": no job can be granted. There are: ${[...names].join(', ') || 'none'}`,
    }));
}
