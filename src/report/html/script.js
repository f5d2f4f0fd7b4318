(()=>{"use strict";
const key=c=>c.dataset.v??c.textContent.trim();
const number=k=>k===""||k.length<16&&!Number.isNaN(Number(k));
for(const table of document.querySelectorAll("table[data-sort]")){
const body=table.tBodies[0],heads=[...table.tHead.rows[0].cells];
heads.forEach((head,column)=>{
const button=document.createElement("button");
button.type="button";button.append(...head.childNodes);head.append(button);
button.addEventListener("click",()=>{
const down=head.getAttribute("aria-sort")==="ascending";
for(const other of heads)other.removeAttribute("aria-sort");
head.setAttribute("aria-sort",down?"descending":"ascending");
const rows=[...body.rows].map(row=>[key(row.cells[column]),row]);
if(rows.every(r=>number(r[0])))for(const r of rows)r[0]=r[0]===""?-Infinity:Number(r[0]);
const sign=down?-1:1;
rows.sort((a,b)=>a[0]<b[0]?-sign:a[0]>b[0]?sign:0);
body.remove();body.append(...rows.map(r=>r[1]));table.append(body);
});
});
const all=body.rows.length;
if(table.dataset.sort==="find"&&all>10){
const bar=document.createElement("div"),label=document.createElement("label"),input=document.createElement("input"),said=document.createElement("span");
bar.className="find";input.type="search";input.autocomplete="off";said.setAttribute("role","status");said.className="soft";
label.append("Show rows with ",input);bar.append(label,said);
table.closest(".scroll").before(bar);
const texts=[...body.rows].map(row=>[row,row.textContent.toLowerCase()]);
input.addEventListener("input",()=>{
const words=input.value.toLowerCase().split(/\s+/).filter(Boolean);
let shown=0;
for(const [row,text] of texts){row.hidden=!words.every(w=>text.includes(w));if(!row.hidden)shown+=1}
said.textContent=words.length?shown+" of "+all+" rows":"";
});
}
}
})();
