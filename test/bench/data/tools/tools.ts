import { hasBacula } from '../../bacula/bacula.js';
import type { DataTool } from '../data-tool.js';
import { OURS, OURS_DEDUP } from '../measures.js';
import { BaculaTool } from './bacula-tool.js';
import { BorgTool } from './borg-tool.js';
import { hasCommands } from './command.js';
import { FloorTool } from './floor-tool.js';
import { HoldfastTool } from './holdfast-tool.js';
import { ResticTool } from './restic-tool.js';
import { TarTool } from './tar-tool.js';

interface ToolKind {
  readonly isInstalled: () => boolean;
  readonly make: () => DataTool;
}

/** By the name under which a run asks for it; in this order in each round. */
export const TOOLS: Readonly<Record<string, ToolKind>> = {
  [OURS]: { isInstalled: () => true, make: () => new HoldfastTool(OURS) },
  [OURS_DEDUP]: { isInstalled: () => true, make: () => new HoldfastTool(OURS_DEDUP, 'dedup:') },
  Bacula: { isInstalled: hasBacula, make: () => new BaculaTool() },
  restic: { isInstalled: () => hasCommands('restic'), make: () => new ResticTool() },
  borg: { isInstalled: () => hasCommands('borg'), make: () => new BorgTool() },
  floor: {
    isInstalled: () => hasCommands('bash', 'find', 'xargs', 'cp'),
    make: () => new FloorTool(),
  },
  tar: { isInstalled: () => hasCommands('bash', 'tar', 'zstd'), make: () => new TarTool() },
};
