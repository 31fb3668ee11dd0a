import type { QueryRunner } from 'typeorm';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { FileBlocks } from '../files/file-blocks.js';
import { TreeLoad } from '../files/tree-load.js';
import { insertTrees } from '../files/file-trees.js';

const ROWS_AT_ONCE = 5_000;
/** What comes of all fragments that were loaded so far: of which one a row was, nobody wrote down. */
const FRAGMENT = 0;

interface Row {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly size: string;
  readonly mtime_ns: string;
  readonly mode: number;
  readonly uid: string;
  readonly gid: string;
  readonly extra: string;
}

/** Makes file trees of the rows that images had before, image by image. */
export class TreesOfRows {
  constructor(private readonly runner: QueryRunner) {}

  async makeAll(): Promise<void> {
    const images = (await this.runner.query(
      `SELECT i.number, i.client FROM image i
       WHERE EXISTS (SELECT 1 FROM file_version v WHERE v.image_number = i.number) ORDER BY i.number`,
    )) as { number: string; client: string }[];
    for (const { number, client } of images) await this.make(Number(number), client);
  }

  private async make(image: number, client: string): Promise<void> {
    const blocks = new FileBlocks(this.runner);
    const load = new TreeLoad((some) => blocks.put(some.map((block) => ({ client, block }))));
    await this.runner.query(
      `DECLARE image_rows CURSOR FOR
       SELECT d.path, v.name, v.type, v.size, v.mtime_ns, v.mode, v.uid, v.gid, v.extra
       FROM file_version v JOIN directory d ON d.id = v.directory_id
       WHERE v.image_number = ${image}
       ORDER BY (CASE d.path WHEN '' THEN '' ELSE chr(1) || replace(d.path, '/', chr(1)) END || chr(2))
         COLLATE "C", v.name`,
    );
    for (;;) {
      const rows = (await this.runner.query(`FETCH ${ROWS_AT_ONCE} FROM image_rows`)) as Row[];
      if (rows.length === 0) break;
      await load.write(rows.map(toRecord));
    }
    await this.runner.query('CLOSE image_rows');
    const trees = await load.finish();
    await insertTrees(this.runner, [{ image, fragment: FRAGMENT, trees }]);
  }
}

function toRecord(row: Row): IndexRecord {
  const { path: directory, name, type, size, mtime_ns: mtimeNs, mode, uid, gid, extra } = row;
  const place = { offset: null, length: null, flags: '' };
  return { directory, name, type, size, mtimeNs, mode, uid, gid, extra, ...place };
}
