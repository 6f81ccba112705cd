"""The one style sheet of the report. Every page carries it, and its digest stands in the page's content security policy."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--head:#eceff3;--ink:#14171c;--dim:#535b69;
  --line:#d5dae1;--link:#1a4fc4;--bad:#a51d13;--bad-bg:#fdecea;--warn:#7a4f00;--warn-bg:#fff4d9;
  --good:#12612f;--good-bg:#e4f5ea;--row:#f8f9fb;--bar:#5b7fd1}
@media(prefers-color-scheme:dark){
  :root{--bg:#0e1116;--card:#161a21;--head:#1f252e;--ink:#e7eaf0;--dim:#a5aebd;--line:#303845;
    --link:#93b8ff;--bad:#ffa299;--bad-bg:#3b1512;--warn:#f4c970;--warn-bg:#33270b;--good:#85dba6;
    --good-bg:#10301d;--row:#191e26;--bar:#6f93e6}
}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",
  Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif}
a{color:var(--link);text-underline-offset:2px}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99em}
.skip:focus{left:1em;top:.5em;background:var(--card);padding:.5em 1em;z-index:9}
header,main,footer{max-width:1600px;margin:0 auto;padding:0 20px}
header{padding-top:12px}
h1{font-size:21px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:16px;margin:18px 0 6px}
h3{font-size:13px;margin:0 0 5px;color:var(--dim);font-weight:600}
.gap{margin-top:10px}
p{margin:.4em 0;max-width:100ch}
.sub{color:var(--dim);margin:2px 0 0;overflow-wrap:anywhere;max-width:none}
.sub span{white-space:nowrap}
.sub span+span::before{content:" · "}
nav{display:flex;flex-wrap:wrap;gap:2px 14px;margin:6px 0 0;font-size:13px}
nav strong{font-weight:600;color:var(--dim)}
nav .off{color:var(--dim)}
.alarm{border:2px solid var(--bad);background:var(--bad-bg);color:var(--bad);border-radius:6px;
  padding:6px 12px;margin:8px 0 0}
.alarm h2{margin:0;font-size:14px}
.alarm ul{margin:2px 0 0;padding-left:18px}
.alarm li{overflow-wrap:anywhere}
.strip{display:grid;grid-template-columns:repeat(5,1fr);gap:8px;margin:8px 0 0;padding:0;list-style:none}
.strip li{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--line);
  border-radius:6px;padding:5px 12px 6px;min-width:0}
.strip .label{display:block;color:var(--dim);font-size:12px}
.strip .value{display:block;font-size:22px;line-height:1.2;font-weight:650;
  font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.strip .note{display:block;font-size:12px;color:var(--dim)}
.strip .bad{border-left-color:var(--bad)}
.strip .bad .value{color:var(--bad)}
.strip .warn{border-left-color:var(--warn)}
.strip .warn .value{color:var(--warn)}
.strip .good{border-left-color:var(--good)}
.strip .good .value{color:var(--good)}
.cols{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr);gap:8px;align-items:start}
.grid{columns:4 280px;column-gap:8px}
.grid>.card{break-inside:avoid;margin-bottom:8px}
.grid+.card{margin-top:8px}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:8px 12px;min-width:0}
.card+.card{margin-top:8px}
.grid .card+.card,.cols .card+.card{margin-top:0}
.short{max-height:212px;overflow:auto}
.box{background:var(--card);border:1px solid var(--line);border-radius:6px;overflow:auto;max-width:100%}
.box.tall{max-height:86vh}
.pages+.box.tall{max-height:max(420px,calc(100vh - 176px))}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:13px}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{text-align:left;vertical-align:top;padding:4px 8px;border-bottom:1px solid var(--line);
  overflow-wrap:anywhere}
th{position:sticky;top:0;z-index:1;background:var(--head);font-size:12px;font-weight:600;white-space:nowrap}
tbody tr:nth-child(even){background:var(--row)}
tbody tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
.nb{white-space:nowrap;overflow-wrap:normal}
.list{min-width:1000px;table-layout:fixed}
.c-rank{width:50px}
.c-score{width:54px}
.c-state{width:160px}

.c-why{width:25%}
.c-time{width:182px}
.c-more{width:128px}
.c-pic{width:100px}
.c-sev{width:82px}
.c-stage{width:116px}
.c-kind{width:150px}
.c-count{width:70px}
.c-lists{width:15%}
.c-data{width:34%}
.score{font-weight:700;font-size:15px}
.path,.dim{color:var(--dim)}
.path b{color:var(--ink);font-weight:600}
.path{display:block;overflow:clip;overflow-wrap:anywhere}
bdi{overflow-wrap:anywhere}
.line{display:block}
.small{font-size:12px}
.why{margin:0;padding:0;list-style:none}
.why li{display:flex;gap:7px}
.why .pts{flex:none;min-width:31px;text-align:right;font-weight:600;font-variant-numeric:tabular-nums}
.why .txt{min-width:0;overflow:clip}
.badge{display:inline-block;border:1px solid var(--line);border-radius:4px;padding:0 5px;font-size:12px;
  line-height:17px;overflow-wrap:anywhere;max-width:100%}
.badge.bad{border-color:var(--bad);color:var(--bad);background:var(--bad-bg);font-weight:600}
.badge.warn{border-color:var(--warn);color:var(--warn);background:var(--warn-bg)}
.badge.good{border-color:var(--good);color:var(--good);background:var(--good-bg)}
.badge.quiet{border-style:dashed;color:var(--dim)}
.cut{color:var(--warn);font-style:italic}
.thumb{display:block;max-width:84px;max-height:84px;border:1px solid var(--line)}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;
  font-size:12px;overflow-wrap:anywhere}
details summary{cursor:pointer;color:var(--link)}
dl{margin:0}
.facts{display:grid;grid-template-columns:fit-content(46%) minmax(0,1fr);gap:1px 12px}
.facts dt,.kv dt{color:var(--dim)}
.facts dd,.kv dd{margin:0;overflow-wrap:anywhere;min-width:0}
.kv,.data{font-size:12px}
.kv dd{margin:0 0 2px;overflow:clip}
ul.plain{margin:4px 0;padding-left:18px}
meter{width:100%;height:9px;display:block;margin-top:5px;background:var(--head);border:0;border-radius:3px;
  appearance:none;-webkit-appearance:none}
meter::-webkit-meter-inner-element{display:block;height:9px}
meter::-webkit-meter-bar{background:var(--head);border:0;border-radius:3px;height:9px}
meter::-webkit-meter-optimum-value{background:var(--bar);border-radius:3px}
meter::-moz-meter-bar{background:var(--bar);border-radius:3px}
.bars td{padding:2px 6px;border:0}
.bars th{position:static;padding:2px 6px}
.bars .m{width:34%}
.bars tr:nth-child(even){background:none}
.pages{display:flex;flex-wrap:wrap;gap:4px 14px;align-items:baseline;margin:8px 0}
footer{color:var(--dim);font-size:12px;padding-top:12px;padding-bottom:24px}
@media(max-width:1000px){
  .cols{grid-template-columns:minmax(0,1fr)}
  .strip{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}
}
@media print{
  :root{--bg:#fff;--card:#fff;--head:#eee;--ink:#000;--dim:#333;--line:#999;--link:#000;--row:#fff;
    --bad:#900;--bad-bg:#fff;--warn:#630;--warn-bg:#fff;--good:#040;--good-bg:#fff}
  @page{size:A4 landscape;margin:12mm}
  body{font-size:10px}
  header,main,footer{max-width:none;padding:0}
  nav,.skip,.pages{display:none}
  .box,.box.tall,.short{max-height:none;overflow:visible}
  table{font-size:9px}
  .list{min-width:0}
  thead{display:table-header-group}
  th{position:static}
  tr,.card,.strip li{break-inside:avoid}
  h2{break-after:avoid}
  .small,.kv,.data,.badge,code,.mono,th,.sub,.strip .label,.strip .note,footer{font-size:8px}
  .badge{line-height:11px}
  .score,.strip .value{font-size:13px}
  h2{font-size:12px}
  .list .c-why{width:25%}
  .list .c-time{width:116px}
  .list .c-more{width:86px}
  .list .c-state{width:106px}
  .list .c-pic{width:68px}
  .thumb{max-width:52px;max-height:52px}
}
"""

POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    + "'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""What the browser may do with a page of ours: this style, pictures that are in the page, and nothing else."""
