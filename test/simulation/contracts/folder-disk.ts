import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { DiskError } from '../parts/disk.js';
import type { DiskUnderTest } from './describe-disk.js';

/** What the writer does, in a process that can be killed. It answers each line with one. */
const WRITER = `
  const fs = require('node:fs');
  const withFile = (path, flags, work) => {
    const file = fs.openSync(path, flags);
    try { return work(file); } finally { fs.closeSync(file); }
  };
  const OPERATIONS = {
    create: (path) => withFile(path, 'wx', () => undefined),
    append: (path, text) => withFile(path, 'r+', (file) =>
      fs.writeSync(file, text, fs.fstatSync(file).size)),
    truncate: (path, length) => fs.truncateSync(path, length),
    sync: (path) => withFile(path, 'r+', (file) => fs.fdatasyncSync(file)),
    syncFolder: (path) => withFile(path, 'r', (file) => fs.fsyncSync(file)),
    rename: (from, to) => fs.renameSync(from, to),
    remove: (path) => fs.unlinkSync(path),
  };
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [operation, ...rest] = JSON.parse(line);
    try {
      OPERATIONS[operation](...rest);
      console.log('{}');
    } catch (error) {
      console.log(JSON.stringify({ code: error.code ?? String(error) }));
    }
  });
`;

/** A real folder behind the contract suite, written by a process of its own. */
export async function folderDisk(): Promise<DiskUnderTest> {
  const root = await temporaryFolder();
  let writer = startWriter();
  const at = (path: string) => join(root, path);
  const call = async (operation: string, ...rest: readonly unknown[]): Promise<void> => {
    const answered = once(writer.lines, 'line');
    writer.process.stdin!.write(`${JSON.stringify([operation, ...rest])}\n`);
    const { code } = JSON.parse(String((await answered)[0])) as { code?: DiskError['code'] };
    if (code) throw new DiskError(code, String(rest[0]));
  };
  const inFolder = async (path: string): Promise<string> => {
    await mkdir(dirname(at(path)), { recursive: true });
    return at(path);
  };
  return {
    create: async (path) => call('create', await inFolder(path)),
    append: (path, text) => call('append', at(path), text),
    truncate: (path, length) => call('truncate', at(path), length),
    read: (path) => readFile(at(path), 'utf8'),
    exists: async (path) => existsSync(at(path)),
    list: async (folder) => (existsSync(at(folder)) ? (await readdir(at(folder))).sort() : []),
    sync: (path) => call('sync', at(path)),
    syncFolder: (folder) => call('syncFolder', at(folder)),
    rename: async (from, to) => call('rename', at(from), await inFolder(to)),
    remove: (path) => call('remove', at(path)),
    async killWriter() {
      await end(writer.process);
      writer = startWriter();
    },
    async dispose() {
      await end(writer.process);
      await rm(root, { recursive: true });
    },
  };
}

function startWriter(): { process: ChildProcess; lines: Interface } {
  const child = spawn(process.execPath, ['-e', WRITER], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { process: child, lines: createInterface({ input: child.stdout! }) };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
