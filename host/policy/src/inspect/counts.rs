//! Counts of what makes compiling long. One walk, nothing kept but numbers.

use wasmparser::{CompositeInnerType, FunctionBody, Operator, Payload, RecGroup, SectionLimited};

use super::{AdmissionLimits, malformed};
use crate::error::Refused;

/// Bytes of a page, the unit that memories are declared in.
const PAGE_BYTES: u64 = 64 << 10;

/// Counts so far, each below its limit.
pub(super) struct Counts<'a> {
    limits: &'a AdmissionLimits,
    functions: u64,
    data_bytes: u64,
    memories: u64,
    tables: u64,
    modules: u64,
    components: u64,
    entries: u64,
}

impl<'a> Counts<'a> {
    pub(super) fn new(limits: &'a AdmissionLimits) -> Self {
        Self { limits, functions: 0, data_bytes: 0, memories: 0, tables: 0, modules: 0, components: 0, entries: 0 }
    }

    /// Counts one piece of the component.
    pub(super) fn add(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        let limits = self.limits;
        match payload {
            Payload::ModuleSection { .. } => bump(&mut self.modules, 1, limits.modules, "the number of modules"),
            Payload::ComponentSection { .. } => {
                bump(&mut self.components, 1, limits.components, "the number of nested components")
            }
            Payload::FunctionSection(section) => {
                let count = u64::from(section.count());
                bump(&mut self.functions, count, limits.functions, "the number of functions")
            }
            Payload::CodeSectionEntry(body) => function(&body, limits),
            Payload::TypeSection(section) => {
                self.entries(section.count())?;
                section.into_iter().try_for_each(|group| types(&group.map_err(malformed)?, limits))
            }
            Payload::DataSection(section) => {
                self.entries(section.count())?;
                section.into_iter().try_for_each(|data| {
                    let bytes = data.map_err(malformed)?.data.len() as u64;
                    bump(&mut self.data_bytes, bytes, limits.data_bytes, "the size of the initial data")
                })
            }
            Payload::MemorySection(section) => section.into_iter().try_for_each(|memory| {
                bump(&mut self.memories, 1, limits.memories, "the number of memories")?;
                let bytes = memory.map_err(malformed)?.initial.saturating_mul(PAGE_BYTES);
                within(bytes, limits.memory_bytes, "the size that the memory begins with")
            }),
            Payload::TableSection(section) => section.into_iter().try_for_each(|table| {
                bump(&mut self.tables, 1, limits.tables, "the number of tables")?;
                let elements = table.map_err(malformed)?.ty.initial;
                within(elements, limits.table_elements, "the size that a table begins with")
            }),
            Payload::ElementSection(section) => {
                self.entries(section.count())?;
                section.into_iter().try_for_each(|element| {
                    let count = match element.map_err(malformed)?.items {
                        wasmparser::ElementItems::Functions(items) => items.count(),
                        wasmparser::ElementItems::Expressions(_, items) => items.count(),
                    };
                    self.entries(count)
                })
            }
            Payload::TagSection(_) => Err(Refused::Unsupported("exceptions")),
            Payload::ComponentStartSection { .. } => Err(Refused::Unsupported("a start function of the component")),
            Payload::UnknownSection { .. } => Err(Refused::Unsupported("a section of an unknown kind")),
            other => self.other(&other),
        }
    }

    fn other(&mut self, payload: &Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::ImportSection(section) => self.section(section),
            Payload::GlobalSection(section) => self.section(section),
            Payload::ExportSection(section) => self.section(section),
            Payload::InstanceSection(section) => self.section(section),
            Payload::CoreTypeSection(section) => self.section(section),
            Payload::ComponentInstanceSection(section) => self.section(section),
            Payload::ComponentAliasSection(section) => self.section(section),
            Payload::ComponentTypeSection(section) => self.section(section),
            Payload::ComponentCanonicalSection(section) => self.section(section),
            Payload::ComponentImportSection(section) => self.section(section),
            Payload::ComponentExportSection(section) => self.section(section),
            Payload::CustomSection(_) => self.entries(1),
            _ => Ok(()),
        }
    }

    fn section<T>(&mut self, section: &SectionLimited<'_, T>) -> Result<(), Refused> {
        self.entries(section.count())
    }

    fn entries(&mut self, count: u32) -> Result<(), Refused> {
        bump(&mut self.entries, u64::from(count), self.limits.entries, "the number of declarations")
    }
}

fn types(group: &RecGroup, limits: &AdmissionLimits) -> Result<(), Refused> {
    for ty in group.types() {
        if let CompositeInnerType::Func(func) = &ty.composite_type.inner {
            let values = (func.params().len() + func.results().len()) as u64;
            within(values, limits.type_values, "the number of values in a function's type")?;
        }
    }
    Ok(())
}

/// Counts one function: the place where compile bombs are.
fn function(body: &FunctionBody<'_>, limits: &AdmissionLimits) -> Result<(), Refused> {
    within(body.range().len() as u64, limits.body_bytes, "the size of a function")?;
    let mut locals = 0;
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, _) = group.map_err(malformed)?;
        bump(&mut locals, u64::from(count), limits.locals, "the number of locals of a function")?;
    }
    let (mut depth, mut control, mut targets) = (0_u64, 0_u64, 0_u64);
    for operator in body.get_operators_reader().map_err(malformed)? {
        match operator.map_err(malformed)? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                control += 1;
                bump(&mut depth, 1, limits.nesting, "the depth of nested blocks")?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => control += 1,
            Operator::BrTable { targets: table } => {
                let count = u64::from(table.len()) + 1;
                control += count;
                bump(&mut targets, count, limits.branch_targets, "the number of branch targets of a function")?;
            }
            _ => {}
        }
    }
    let product = locals.saturating_mul(control);
    within(product, limits.locals_times_control, "the product of locals and branches of a function")
}

fn bump(count: &mut u64, by: u64, limit: u64, what: &'static str) -> Result<(), Refused> {
    *count = count.saturating_add(by);
    within(*count, limit, what)
}

fn within(found: u64, limit: u64, what: &'static str) -> Result<(), Refused> {
    if found > limit { Err(Refused::Count { what, found, limit }) } else { Ok(()) }
}
