"""How the status page looks. Inline, because the page loads nothing from anywhere."""

CSS = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--line:#e3e6eb;--text:#1b2130;--dim:#667085;
--good:#12805c;--warn:#b54708;--bad:#c4230f;--info:#2563a8;--goodbg:#e7f6ef;--warnbg:#fff3e0;
--badbg:#fde9e6;--infobg:#e8f1fb;--track:#e9ecf1;--invalid:#d6a21c}
@media (prefers-color-scheme:dark){:root{--bg:#0f131a;--card:#171d27;--line:#283142;--text:#e6eaf2;
--dim:#93a0b5;--good:#4cc38a;--warn:#f5a742;--bad:#ff7b6b;--info:#74b3f2;--goodbg:#12291f;
--warnbg:#33260f;--badbg:#3a1a17;--infobg:#13273c;--track:#252d3b;--invalid:#c99a2b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:14px/1.45 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:20px 20px 48px}
header{display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline;margin-bottom:14px}
h1{font-size:18px;margin:0;letter-spacing:-.01em}h1 small{font-weight:400;color:var(--dim);font-size:13px}
header .route{font:13px ui-monospace,Menlo,Consolas,monospace}
header nav{margin-left:auto;display:flex;gap:14px}a{color:var(--info);text-decoration:none}
a:hover{text-decoration:underline}
h2{font-size:13px;margin:0 0 10px;font-weight:600}h2 small{font-weight:400;color:var(--dim);margin-left:8px}
.dim{color:var(--dim)}section{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:14px 16px;margin-top:14px;overflow-x:auto}
.notes{list-style:none;margin:0;padding:0;display:grid;gap:6px}
.notes li{padding:9px 14px;border-radius:6px;border-left:4px solid}
.notes .bad{background:var(--badbg);border-color:var(--bad)}
.notes .warn{background:var(--warnbg);border-color:var(--warn)}
.notes .info{background:var(--infobg);border-color:var(--info)}
.notes .good{background:var(--goodbg);border-color:var(--good)}
.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:14px;margin-top:14px}
.stat{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px}
.stat b{display:block;font-size:24px;font-weight:600;line-height:1.25;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}.stat span{color:var(--dim);font-size:12px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:0 14px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{color:var(--dim);font-weight:500;font-size:12px;text-align:left;padding:0 12px 6px 0;white-space:nowrap}
td{padding:5px 12px 5px 0;border-top:1px solid var(--line);vertical-align:middle}
th.n,td.n{text-align:right;white-space:nowrap}td.name{font-weight:500;min-width:9em;
overflow-wrap:anywhere}td .long{display:block;min-width:22em}
th:empty{width:1%}td:last-child,th:last-child{padding-right:0}
.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}.notes li{color:var(--text)}
.bar{display:flex;width:140px;height:8px;border-radius:4px;overflow:hidden;background:var(--track)}
.bar i{display:block;height:100%}.bar .ok{background:var(--good)}.bar .no{background:var(--bad)}
.bar .odd{background:var(--invalid)}
.tag{display:inline-block;padding:1px 8px;border-radius:10px;font-size:12px;font-weight:500}
.tag.page{background:var(--badbg);color:var(--bad)}.tag.ticket{background:var(--warnbg);color:var(--warn)}
.tag.event,.tag.learning,.tag.learnt{background:var(--infobg);color:var(--info)}
.tag.given{background:var(--goodbg);color:var(--good)}
footer{color:var(--dim);margin-top:18px;font-size:12px}
"""
