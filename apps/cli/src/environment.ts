/** The environment variables that the command line knows; the one place that reads them. */
export interface Environment {
  /** `HOLDFAST_DATA`: the data folder of the cluster, as `--data`. */
  readonly dataFolder: string | undefined;
  /** `HOLDFAST_DATABASE_URL`: for `up`, as `--database`, which others could read in the process list. */
  readonly databaseUrl: string | undefined;
  /** `HOLDFAST_DEBUG=1`: errors come with their stack. */
  readonly debug: boolean;
  /** `NO_COLOR` (any text), or `TERM=dumb`. */
  readonly plain: boolean;
}

export function readEnvironment(variables: NodeJS.ProcessEnv): Environment {
  return {
    dataFolder: variables['HOLDFAST_DATA'] || undefined,
    databaseUrl: variables['HOLDFAST_DATABASE_URL'] || undefined,
    debug: Boolean(variables['HOLDFAST_DEBUG']),
    plain: Boolean(variables['NO_COLOR']) || variables['TERM'] === 'dumb',
  };
}
