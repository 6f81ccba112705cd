#!/bin/sh
# Makes the YAFFS2 image of tests/filesystem/yaffs2.img.xz anew, by YAFFS's own code on a simulated NAND (2048 + 64 bytes a page).
# sh bench/yaffs2.sh YAFFS_CHECKOUT OUT.img        Needs gcc, make and a checkout of yaffs2 by its makers (github.com/Aleph-One-Ltd/yaffs2).
set -eu
yaffs=$1 out=$(realpath "$2")
(cd "$yaffs/direct" && sh handle_common.sh copy >/dev/null 2>&1)
cd "$yaffs/direct/test-framework/yaffs2_image_maker"
cat >mk.c <<'C'
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "yaffsfs.h"
#include "yaffs_flexible_file_sim.h"
#include "yaffs_guts.h"
int simulate_power_failure = 0;
int random_seed = 0;
static void put(const char *name, int size, int seed)
{
	int h = yaffs_open(name, O_CREAT | O_RDWR | O_TRUNC, 0644), i, n;
	char buffer[4096];
	for (i = 0; i < size; i += n) {
		n = size - i < 4096 ? size - i : 4096;
		memset(buffer, 'a' + (seed + i / 4096) % 26, n);
		yaffs_write(h, buffer, n);
	}
	yaffs_close(h);
}
int main(int argc, char **argv)
{
	struct yaffs_dev *dev = yaffs_flexible_file_sim_create("yroot", argv[argc - 1], 0, 16, 1, 15, 64, 2048, 64);
	dev->param.disable_summary = 1;
	dev->param.n_reserved_blocks = 2;
	if (yaffs_mount3("yroot", 0, 1) < 0)
		return 1;
	yaffs_mkdir("yroot/data", 0755);
	yaffs_mkdir("yroot/data/pictures", 0755);
	put("yroot/data/one.txt", 10, 0);
	put("yroot/data/pictures/two.jpg", 50000, 1);
	put("yroot/data/pictures/gone.jpg", 30000, 5);
	put("yroot/data/pictures/old.jpg", 20000, 9);
	put("yroot/data/again.txt", 9000, 2);
	put("yroot/data/again.txt", 5000, 3);
	yaffs_symlink("pictures/two.jpg", "yroot/data/link");
	yaffs_sync("yroot");
	yaffs_rename("yroot/data/pictures/old.jpg", "yroot/data/new name.jpg");
	yaffs_unlink("yroot/data/pictures/gone.jpg");
	yaffs_sync("yroot");
	yaffs_unmount("yroot");
	return 0;
}
C
sed 's/yaffs2_dumper/mk/g; s/IMAGEDUMPEROBJS/MKOBJS/g' Makefile >Makefile.mk
make -s -f Makefile.mk mk
./mk "$out" >/dev/null
